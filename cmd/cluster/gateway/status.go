package gateway

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// ControllerName is the gateway's controllerName in a route's status.
const ControllerName = "scanflow.dev/stand-in-gateway"

// parentStatus is an entry of status.parents. Those of other controllers are not changed.
type parentStatus struct {
	ParentRef      parentRef          `json:"parentRef"`
	ControllerName string             `json:"controllerName"`
	Conditions     []metav1.Condition `json:"conditions"`
}

// writeStatus writes the status of a route if it has changed.
func (g *Gateway) writeStatus(ctx context.Context, v *routeState) error {
	now := metav1.NewTime(g.opts.Clock.Now().Truncate(1e9)) // the resolution of the API server
	parents, _, _ := unstructured.NestedSlice(v.object.Object, "status", "parents")
	var previous parentStatus
	var updated []any
	for _, p := range parents {
		parent, _ := p.(map[string]any)
		if parent["controllerName"] != ControllerName {
			updated = append(updated, p)
		} else if err := runtime.DefaultUnstructuredConverter.FromUnstructured(parent, &previous); err != nil {
			previous = parentStatus{} // it is malformed, and replaced
		}
	}
	current := parentStatus{ParentRef: v.parent, ControllerName: ControllerName, Conditions: slices.Clone(previous.Conditions)}
	for _, c := range v.conditions() {
		c.ObservedGeneration, c.LastTransitionTime = v.object.GetGeneration(), now
		meta.SetStatusCondition(&current.Conditions, c)
	}
	if equality.Semantic.DeepEqual(previous, current) {
		return nil
	}
	encoded, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&current)
	if err != nil {
		return fmt.Errorf("write the status: %w", err)
	}
	o := v.object.DeepCopy()
	if err := unstructured.SetNestedSlice(o.Object, append(updated, encoded), "status", "parents"); err != nil {
		return fmt.Errorf("write the status: %w", err)
	}
	_, err = g.opts.Client.Dynamic.Resource(routeResource).Namespace(v.name.Namespace).UpdateStatus(ctx, o, metav1.UpdateOptions{FieldManager: "stand-in-gateway"})
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil // the informer will deliver the newer object
	}
	return err
}

func (v *routeState) conditions() []metav1.Condition {
	accepted := metav1.Condition{Type: "Accepted", Status: metav1.ConditionTrue, Reason: "Accepted", Message: "requests go by the route"}
	if !v.accepted() {
		accepted.Status, accepted.Reason, accepted.Message = metav1.ConditionFalse, v.reason, v.message
	}
	resolved := metav1.Condition{Type: "ResolvedRefs", Status: metav1.ConditionTrue, Reason: "ResolvedRefs", Message: "all backends are there"}
	if v.unresolvedReason != "" {
		resolved.Status, resolved.Reason, resolved.Message = metav1.ConditionFalse, v.unresolvedReason, v.unresolvedMessage
	}
	return []metav1.Condition{accepted, resolved}
}

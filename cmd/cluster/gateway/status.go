package gateway

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// ControllerName names the gateway in a route's status.
const ControllerName = "scanflow.dev/stand-in-gateway"

// parentStatus is one of status.parents. Those of other controllers are kept as they are.
type parentStatus struct {
	ParentRef      parentRef          `json:"parentRef"`
	ControllerName string             `json:"controllerName"`
	Conditions     []metav1.Condition `json:"conditions"`
}

// report writes what became of a route, where its status says something else.
func (g *Gateway) writeStatus(ctx context.Context, v *routeState) error {
	now := metav1.NewTime(g.opts.Clock.Now().Truncate(1e9)) // as the API server keeps it
	parents, _, _ := unstructured.NestedSlice(v.object.Object, "status", "parents")
	var previous parentStatus
	var updated []any
	for _, p := range parents {
		one, _ := p.(map[string]any)
		if one["controllerName"] != ControllerName {
			updated = append(updated, p)
		} else if err := runtime.DefaultUnstructuredConverter.FromUnstructured(one, &previous); err != nil {
			previous = parentStatus{} // somebody wrote nonsense there
		}
	}
	current := parentStatus{ParentRef: v.parent, ControllerName: ControllerName}
	for _, c := range v.conditions() {
		c.ObservedGeneration, c.LastTransitionTime = v.object.GetGeneration(), now
		for _, old := range previous.Conditions {
			if old.Type == c.Type && old.Status == c.Status {
				c.LastTransitionTime = old.LastTransitionTime
			}
		}
		current.Conditions = append(current.Conditions, c)
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
		return nil // its newer self is on the way
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

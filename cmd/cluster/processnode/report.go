package processnode

import (
	"bytes"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// reporter writes the status of a pod when it has changed, and removes the object of a
// deleted pod whose processes have ended.
type reporter struct {
	*podRunner
	lastPatch      []byte
	conditions     []corev1.PodCondition
	deletedVersion string // the resource version at the last removal of the object
}

// report writes the status. It is no error if the object has been deleted.
func (r *reporter) report(object *corev1.Pod, ended bool) error {
	err := r.patch(object)
	if err == nil && ended && object.DeletionTimestamp != nil && r.deletedVersion != object.ResourceVersion {
		if err = r.remove(object); err == nil {
			r.deletedVersion = object.ResourceVersion // a finalizer may keep the object: retry at its next change
		}
	}
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) { // a conflict means that another pod has the name now
		r.markDeleted()
		return nil
	}
	return err
}

func (r *reporter) patch(object *corev1.Pod) error {
	previous := r.conditions
	if previous == nil {
		previous = object.Status.Conditions
	}
	r.mu.Lock()
	status := r.state.podStatus(object, r.node.addresses.host.String(), previous, r.node.Clock.Now())
	r.mu.Unlock()
	raw, err := encodePatch(object.UID, status)
	if err != nil || bytes.Equal(raw, r.lastPatch) {
		return err
	}
	// A strategic merge, like the kubelet's, keeps the conditions of other controllers.
	if _, err = r.node.core.Pods(object.Namespace).Patch(r.node.killCtx, object.Name, types.StrategicMergePatchType, raw, metav1.PatchOptions{}, "status"); err != nil {
		return fmt.Errorf("report the status: %w", err)
	}
	r.lastPatch, r.conditions = raw, status.Conditions
	return nil
}

func encodePatch(uid types.UID, status corev1.PodStatus) ([]byte, error) {
	raw, err := json.Marshal(status)
	if err != nil {
		return nil, err
	}
	var fields map[string]any
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, err
	}
	for _, list := range []string{"podIPs", "hostIPs"} { // otherwise merged with the addresses of an earlier run
		if all, ok := fields[list].([]any); ok {
			fields[list] = append(all, map[string]any{"$patch": "replace"})
		}
	}
	return json.Marshal(map[string]any{"metadata": map[string]any{"uid": uid}, "status": fields})
}

func (r *reporter) remove(object *corev1.Pod) error {
	now := int64(0)
	err := r.node.core.Pods(object.Namespace).Delete(r.node.killCtx, object.Name, metav1.DeleteOptions{
		GracePeriodSeconds: &now, Preconditions: &metav1.Preconditions{UID: &object.UID},
	})
	if err != nil {
		return fmt.Errorf("remove the pod: %w", err)
	}
	return nil
}

// recordEvent records a warning event for the pod.
func (r *podRunner) recordEvent(reason, message string) error {
	object := r.latest()
	now := metav1.NewTime(r.node.Clock.Now())
	if len(message) > 1024 { // the limit of the API server
		message = message[:1021] + "..."
	}
	_, err := r.node.core.Events(object.Namespace).Create(r.node.killCtx, &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{GenerateName: object.Name + ".", Namespace: object.Namespace},
		InvolvedObject: corev1.ObjectReference{
			APIVersion: "v1", Kind: "Pod", Namespace: object.Namespace, Name: object.Name, UID: object.UID, ResourceVersion: object.ResourceVersion,
		},
		Type: corev1.EventTypeWarning, Reason: reason, Message: message, FirstTimestamp: now, LastTimestamp: now, Count: 1,
		Source: corev1.EventSource{Component: "process-node", Host: r.node.Name},
	}, metav1.CreateOptions{})
	return err
}

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

// reporter tells the API server how a pod is, when that has changed, and removes
// the object of a deleted pod whose processes have ended.
type reporter struct {
	*podRunner
	lastPatch      []byte
	conditions     []corev1.PodCondition
	deletedVersion string // the resource version that the object was last removed at
}

// say reports what is new. A pod that is gone is no error.
func (r *reporter) report(object *corev1.Pod, ended bool) error {
	err := r.patch(object)
	if err == nil && ended && object.DeletionTimestamp != nil && r.deletedVersion != object.ResourceVersion {
		if err = r.remove(object); err == nil {
			r.deletedVersion = object.ResourceVersion // a finalizer may keep it; each change of it is worth another try
		}
	}
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) { // a conflict: the name is another pod's now
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
	// A strategic merge, as a kubelet's: conditions that are others' stay.
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
	for _, list := range []string{"podIPs", "hostIPs"} { // merged otherwise, and an earlier run may have left another
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

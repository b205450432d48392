package orchestrator

import (
	"fmt"

	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/engine"
)

// OwnPods returns the pods of a Deployment, by name, with those that terminate.
func (o *Orchestrator) OwnPods(name types.NamespacedName) ([]engine.OwnPod, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, err := o.deploymentLocked(name); err != nil {
		return nil, err
	}
	var out []engine.OwnPod
	for _, r := range o.podsOf(name) {
		out = append(out, engine.OwnPod{TargetPod: r.targetPod(), UID: r.rec.UID, Terminating: r.terminating})
	}
	return out, nil
}

// ReplacePod ends a pod, once it has answered its requests or its grace period is over, and
// starts another in its place at once. It does nothing where the pod of that UID is gone or
// terminates already.
func (o *Orchestrator) ReplacePod(name types.NamespacedName, uid string) error {
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		return ErrClosed
	}
	_, err := o.deploymentLocked(name)
	if err == nil {
		for _, r := range o.podsOf(name) {
			if r.rec.UID == uid {
				o.drain(r)
			}
		}
	}
	o.mu.Unlock()
	if err != nil {
		return fmt.Errorf("replace a pod: %w", err)
	}
	o.reconcile()
	return nil
}

package orchestrator

import (
	"maps"

	"k8s.io/apimachinery/pkg/types"
)

// override holds what actuators set on an object in place of its YAML. Each part holds
// until the YAML changes that field: Declared is its value in the YAML when it was set.
//
// Every setter writes the override to disk before it takes effect, so that a restart
// never loses one that was acted on.
type override struct {
	Replicas  *replicasOverride  `json:"replicas,omitempty"`
	Weights   *weightsOverride   `json:"weights,omitempty"`
	Model     *ModelOverride     `json:"model,omitempty"`
	Placement *PlacementOverride `json:"place,omitempty"`
	// Restart is the identity of the last change that restarted the pods.
	Restart string `json:"restart,omitempty"`
}

type replicasOverride struct {
	Declared int `json:"declared"`
	Wanted   int `json:"wanted"`
}

type weightsOverride struct {
	Declared map[string]int `json:"declared"`
	Wanted   map[string]int `json:"wanted"`
}

// SetReplicas sets the replicas of a Deployment.
func (o *Orchestrator) SetReplicas(name types.NamespacedName, n int) error {
	return o.updateDeployment(name, func(d *deployment, next *override) error {
		next.Replicas = &replicasOverride{Declared: declaredReplicas(&d.spec), Wanted: n}
		return nil
	})
}

// Restart replaces every pod of a Deployment, once for each identity.
func (o *Orchestrator) Restart(name types.NamespacedName, identity string) error {
	return o.updateDeployment(name, func(_ *deployment, next *override) error {
		next.Restart = identity
		return nil
	})
}

// SetModel sets the model that the pods of a Deployment serve.
func (o *Orchestrator) SetModel(name types.NamespacedName, field ModelField, version string) error {
	return o.updateDeployment(name, func(d *deployment, next *override) (err error) {
		next.Model, err = next.Model.with(field, version, &d.spec.Spec.Template)
		return err
	})
}

// RestoreModel undoes SetModel: it sets the override that was there before. The error is
// ErrModelChanged if the model was set again since.
func (o *Orchestrator) RestoreModel(name types.NamespacedName, field ModelField, version string, before *ModelOverride) error {
	return o.updateDeployment(name, func(_ *deployment, next *override) error {
		if !next.Model.Has(field, version) {
			return ErrModelChanged
		}
		next.Model = before
		return nil
	})
}

func (o *Orchestrator) updateDeployment(name types.NamespacedName, update func(*deployment, *override) error) error {
	o.apply.Lock()
	defer o.apply.Unlock()
	if o.ctx.Err() != nil {
		return ErrClosed
	}
	o.mu.Lock()
	d, err := o.deploymentLocked(name)
	o.mu.Unlock()
	if err != nil {
		return err
	}
	next := d.override
	if err := update(d, &next); err != nil {
		return err
	}
	if err := o.store.saveOverride(ObjectID{KindDeployment, name}, next); err != nil {
		return err
	}
	updated := newDeployment(d.spec, next)
	o.mu.Lock()
	updated.pastRestarts = d.pastRestarts
	o.deploys[name] = updated
	o.mu.Unlock()
	o.reconcile()
	return nil
}

// SetWeights sets the weights of an HTTPRoute, by Service. They apply to the next request.
func (o *Orchestrator) SetWeights(name types.NamespacedName, weights map[string]int) error {
	o.apply.Lock()
	defer o.apply.Unlock()
	if o.ctx.Err() != nil {
		return ErrClosed
	}
	r, err := o.route(name)
	if err != nil {
		return err
	}
	next := r.override
	next.Weights = &weightsOverride{Declared: r.declared(), Wanted: maps.Clone(weights)}
	if err := o.store.saveOverride(ObjectID{KindRoute, name}, next); err != nil {
		return err
	}
	updated := &route{spec: r.spec, override: next}
	o.mu.Lock()
	o.routes[name] = updated
	o.notifyLocked()
	o.mu.Unlock()
	o.router.SetWeights(updated.current())
	return nil
}

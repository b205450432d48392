package local

import (
	"fmt"
	"maps"
)

// setReplicas and its like write down what an actuator asks for, then have it done:
// a wish that was acted on is never lost by a restart.

func (o *Orchestrator) setReplicas(k key, n int) error {
	return o.changeDeployment(k, func(d *deployment, w *wish) error {
		w.Replicas = &replicasWish{Declared: desiredOf(&d.spec), Wanted: n}
		return nil
	})
}

func (o *Orchestrator) setRestart(k key, identity string) error {
	return o.changeDeployment(k, func(_ *deployment, w *wish) error {
		w.Restart = identity
		return nil
	})
}

func (o *Orchestrator) setModel(k key, f modelField, version string) error {
	return o.changeDeployment(k, func(d *deployment, w *wish) (err error) {
		w.Model, err = w.Model.with(f, version, &d.spec.Spec.Template)
		return err
	})
}

// putModelBack undoes setModel, unless somebody has set it since.
func (o *Orchestrator) putModelBack(k key, data *modelData) error {
	return o.changeDeployment(k, func(_ *deployment, w *wish) error {
		if !w.Model.says(data.Field, data.Version) {
			return errOverruled
		}
		w.Model = data.Was
		return nil
	})
}

func (o *Orchestrator) changeDeployment(k key, change func(*deployment, *wish) error) error {
	o.apply.Lock()
	defer o.apply.Unlock()
	if o.ctx.Err() != nil {
		return ErrClosed
	}
	o.mu.Lock()
	d := o.deploys[k]
	if d == nil {
		defer o.mu.Unlock()
		return o.unknown()
	}
	o.mu.Unlock()
	next := d.wish
	if err := change(d, &next); err != nil {
		return err
	}
	if err := o.store.saveWish(objectID{kindDeployment, k}, next); err != nil {
		return fmt.Errorf("keep what was asked of %s: %w", k, err)
	}
	changed := newDeployment(d.spec, next)
	o.mu.Lock()
	changed.gone = d.gone
	o.deploys[k] = changed
	o.mu.Unlock()
	o.reconcile()
	return nil
}

func (o *Orchestrator) setWeights(k key, weights map[string]int) error {
	o.apply.Lock()
	defer o.apply.Unlock()
	if o.ctx.Err() != nil {
		return ErrClosed
	}
	r := o.route(k)
	if r == nil {
		return fmt.Errorf("there is no HTTPRoute %s", k)
	}
	next := r.wish
	next.Weights = &weightsWish{Declared: r.declared(), Wanted: maps.Clone(weights)}
	if err := o.store.saveWish(objectID{kindRoute, k}, next); err != nil {
		return fmt.Errorf("keep what was asked of %s: %w", k, err)
	}
	changed := &route{spec: r.spec, wish: next}
	o.mu.Lock()
	o.routes[k] = changed
	o.notifyLocked()
	o.mu.Unlock()
	o.router.SetWeights(changed.way())
	return nil
}

func (o *Orchestrator) route(k key) *route {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.routes[k]
}

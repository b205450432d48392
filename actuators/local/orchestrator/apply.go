package orchestrator

import (
	"context"
	"fmt"
	"maps"

	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/router"
)

// Apply replaces the workloads: it starts new ones, rolls out changed ones, and drains and
// stops those that are missing. It returns before that is done (see WaitReady). An error,
// such as a port that can't be listened on, leaves everything as it was.
func (o *Orchestrator) Apply(ctx context.Context, w Workloads) error {
	if err := w.check().Err(); err != nil {
		return fmt.Errorf("apply workloads: %w", err)
	}
	o.apply.Lock()
	defer o.apply.Unlock()
	if o.ctx.Err() != nil {
		return ErrClosed
	}
	deploys, routes, outdated, err := o.loadOverrides(w)
	if err != nil {
		return fmt.Errorf("apply workloads: %w", err)
	}
	placements, err := o.loadPlacements(w, outdated)
	if err != nil {
		return fmt.Errorf("apply workloads: %w", err)
	}
	var toRouter []router.Route
	for _, k := range keysOf(routes) {
		toRouter = append(toRouter, routes[k].current())
	}
	if err := o.router.SetRoutes(ctx, w.Services, toRouter); err != nil {
		return fmt.Errorf("apply workloads: %w", err)
	}
	o.mu.Lock()
	var removed []ObjectID
	for k := range o.deploys {
		if deploys[k] == nil {
			removed = append(removed, ObjectID{KindDeployment, k})
		}
	}
	for k := range o.routes {
		if routes[k] == nil {
			removed = append(removed, ObjectID{KindRoute, k})
		}
	}
	for k, d := range deploys {
		if was := o.deploys[k]; was != nil {
			d.pastRestarts = was.pastRestarts
		}
	}
	o.deploys, o.routes = deploys, routes
	o.templates, o.cronJobs = byKey(w.Workflows), byKey(w.CronJobs)
	for id := range o.placements {
		if _, replaced := outdated[id]; placements[id] == nil && !replaced {
			removed = append(removed, id)
		}
	}
	o.placements = placements
	recovered := o.recovered
	o.recovered = nil
	o.mu.Unlock()
	for _, id := range removed {
		if err := o.store.removeOverride(id); err != nil {
			o.opts.Log.Error("the override of a workload that is gone stays on disk", "workload", id.String(), "error", err)
		}
	}
	for id, rest := range outdated {
		if err := o.store.saveOverride(id, rest); err != nil {
			o.opts.Log.Error("an override that the YAML has replaced stays on disk", "workload", id.String(), "error", err)
		}
	}
	o.adopt(recovered)
	// Only once all are adopted: the status of an adopted pod wakes reconcile, which would
	// create pods in place of those that are not adopted yet.
	o.mu.Lock()
	o.applied = true
	o.mu.Unlock()
	o.reconcile()
	return nil
}

// loadOverrides joins the YAML and the overrides on disk. An override is outdated once the
// YAML sets another value; Apply removes it from disk, so that it does not come back
// when the YAML changes back.
func (o *Orchestrator) loadOverrides(w Workloads) (deploys map[types.NamespacedName]*deployment, routes map[types.NamespacedName]*route, outdated map[ObjectID]override, err error) {
	deploys, routes, outdated = map[types.NamespacedName]*deployment{}, map[types.NamespacedName]*route{}, map[ObjectID]override{}
	for _, d := range w.Deployments {
		k := keyOf(&d.ObjectMeta)
		d.Namespace = k.Namespace
		id := ObjectID{KindDeployment, k}
		set, err := o.store.loadOverride(id)
		if err != nil {
			return nil, nil, nil, err
		}
		if r := set.Replicas; r != nil && r.Declared != declaredReplicas(&d) {
			set.Replicas = nil
			outdated[id] = set
		}
		if m := set.Model; m != nil && m.outdated(&d.Spec.Template) {
			set.Model = nil
			outdated[id] = set
		}
		if p := set.Placement; p != nil && p.outdated(podPlacement(&d.Spec.Template.Spec)) {
			set.Placement = nil
			outdated[id] = set
		}
		deploys[k] = newDeployment(d, set)
	}
	for _, r := range w.Routes {
		k := keyOf(&r.ObjectMeta)
		r.Namespace = k.Namespace
		id := ObjectID{KindRoute, k}
		set, err := o.store.loadOverride(id)
		if err != nil {
			return nil, nil, nil, err
		}
		next := &route{spec: r, override: set}
		if ws := set.Weights; ws != nil && !maps.Equal(ws.Declared, next.declared()) {
			next.override.Weights = nil
			outdated[id] = next.override
		}
		routes[k] = next
	}
	return deploys, routes, outdated, nil
}

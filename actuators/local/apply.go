package local

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// deployment is a workload that is wanted.
type deployment struct {
	spec     appsv1.Deployment
	wish     wish
	template corev1.PodTemplateSpec // with the restart mark
	hash     string
	gone     int // restarts of the pods that are no more
}

// restartAnnotation marks the template with the change that restarted it.
const restartAnnotation = "scanflow.dev/restart"

// desired is the wish of an actuator, or what the YAML says.
func (d *deployment) desired() int {
	if d.wish.Replicas != nil {
		return d.wish.Replicas.Wanted
	}
	return desiredOf(&d.spec)
}

func newDeployment(spec appsv1.Deployment, w wish) *deployment {
	d := &deployment{spec: spec, wish: w, template: *spec.Spec.Template.DeepCopy()}
	if w.Restart != "" {
		if d.template.Annotations == nil {
			d.template.Annotations = map[string]string{}
		}
		d.template.Annotations[restartAnnotation] = w.Restart
	}
	if w.Model != nil {
		w.Model.apply(&d.template)
	}
	if w.Place != nil {
		at := w.Place.placement()
		d.template.Spec.NodeSelector, d.template.Spec.Affinity = at.NodeSelector, at.Affinity
	}
	raw, err := json.Marshal(d.template)
	if err != nil {
		panic(err) // an API type always marshals
	}
	sum := sha256.Sum256(raw)
	d.hash = hex.EncodeToString(sum[:5])
	return d
}

// route is an HTTPRoute that is wanted.
type route struct {
	spec HTTPRoute
	wish wish
}

func (r *route) declared() map[string]int {
	out := map[string]int{}
	for _, b := range r.spec.Spec.Rules[0].BackendRefs {
		out[b.Name] = b.weight()
	}
	return out
}

// weights are those of the last traffic change, or what the YAML says.
func (r *route) weights() map[string]int {
	if r.wish.Weights != nil {
		return r.wish.Weights.Wanted
	}
	return r.declared()
}

// Apply makes these workloads the wanted ones, and no other: what is new is
// started, what changed is rolled, what is missing is drained and stopped. It
// returns when that is decided, not when it is done (see WaitReady). An error, as
// of a port that can't be listened on, leaves everything as it was.
func (o *Orchestrator) Apply(ctx context.Context, w Workloads) error {
	if err := w.check().err(); err != nil {
		return fmt.Errorf("apply workloads: %w", err)
	}
	o.apply.Lock()
	defer o.apply.Unlock()
	if o.ctx.Err() != nil {
		return ErrClosed
	}
	deploys, routes, outdated, err := o.wanted(w)
	if err != nil {
		return fmt.Errorf("apply workloads: %w", err)
	}
	placements, err := o.placementsOf(w, outdated)
	if err != nil {
		return fmt.Errorf("apply workloads: %w", err)
	}
	if err := o.router.SetRoutes(ctx, w.Services, ways(routes)); err != nil {
		return fmt.Errorf("apply workloads: %w", err)
	}
	o.mu.Lock()
	var removed []objectID
	for k := range o.deploys {
		if deploys[k] == nil {
			removed = append(removed, objectID{kindDeployment, k})
		}
	}
	for k := range o.routes {
		if routes[k] == nil {
			removed = append(removed, objectID{kindRoute, k})
		}
	}
	for k, d := range deploys {
		if was := o.deploys[k]; was != nil {
			d.gone = was.gone
		}
	}
	o.deploys, o.routes = deploys, routes
	o.templates, o.cronJobs = byKey(w.Workflows), byKey(w.CronJobs)
	for id := range o.placements {
		if !o.hasTemplate(id) {
			removed = append(removed, id)
		}
	}
	o.placements = placements
	recovered := o.recovered
	o.recovered = nil
	o.mu.Unlock()
	for _, id := range removed {
		if err := o.store.forgetWish(id); err != nil {
			o.opts.Log.Error("what was asked of a workload that is gone stays behind", "workload", id.String(), "error", err)
		}
	}
	for id, rest := range outdated {
		if err := o.store.saveWish(id, rest); err != nil {
			o.opts.Log.Error("a wish that the YAML has overruled stays on disk", "workload", id.String(), "error", err)
		}
	}
	o.adopt(recovered)
	// Not before all are adopted: an adopted pod reports from its own goroutine, and a
	// reconcile that it wakes would make others in place of those still to come.
	o.mu.Lock()
	o.applied = true
	o.mu.Unlock()
	o.reconcile()
	return nil
}

// wanted puts what the YAML says together with what actuators asked for. A wish
// that the YAML has overruled by saying something new is outdated for good: it
// must not come back when the YAML does.
func (o *Orchestrator) wanted(w Workloads) (deploys map[key]*deployment, routes map[key]*route, outdated map[objectID]wish, err error) {
	deploys, routes, outdated = map[key]*deployment{}, map[key]*route{}, map[objectID]wish{}
	for _, d := range w.Deployments {
		k := keyOf(&d.ObjectMeta)
		d.Namespace = k.namespace
		id := objectID{kindDeployment, k}
		asked, err := o.store.loadWish(id)
		if err != nil {
			return nil, nil, nil, err
		}
		if r := asked.Replicas; r != nil && r.Declared != desiredOf(&d) {
			asked.Replicas = nil
			outdated[id] = asked
		}
		if m := asked.Model; m != nil && m.outdated(&d.Spec.Template) {
			asked.Model = nil
			outdated[id] = asked
		}
		if p := asked.Place; p != nil && p.outdated(podPlacementOf(&d.Spec.Template.Spec)) {
			asked.Place = nil
			outdated[id] = asked
		}
		deploys[k] = newDeployment(d, asked)
	}
	for _, r := range w.Routes {
		k := keyOf(&r.ObjectMeta)
		r.Namespace = k.namespace
		id := objectID{kindRoute, k}
		asked, err := o.store.loadWish(id)
		if err != nil {
			return nil, nil, nil, err
		}
		next := &route{spec: r, wish: asked}
		if ws := asked.Weights; ws != nil && !maps.Equal(ws.Declared, next.declared()) {
			next.wish.Weights = nil
			outdated[id] = next.wish
		}
		routes[k] = next
	}
	return deploys, routes, outdated, nil
}

// byKey is for looking objects up. A run under way goes on with the template that it
// began with.
func byKey[T any, P interface {
	*T
	metav1.Object
}](list []T) map[key]*T {
	out := map[key]*T{}
	for i := range list {
		one := P(&list[i])
		out[key{cmp.Or(one.GetNamespace(), defaultNamespace), one.GetName()}] = &list[i]
	}
	return out
}

// keysOf are the keys in a fixed order, so that a seeded run repeats itself.
func keysOf[V any](m map[key]V) []key {
	return slices.SortedFunc(maps.Keys(m), func(a, b key) int {
		return slices.Compare([]string{a.namespace, a.name}, []string{b.namespace, b.name})
	})
}

package orchestrator

import (
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/router"
)

// route is an HTTPRoute with its override.
type route struct {
	spec     HTTPRoute
	override override
}

// declared returns the weights in the YAML, by Service.
func (r *route) declared() map[string]int {
	out := map[string]int{}
	for _, b := range r.spec.Spec.Rules[0].BackendRefs {
		out[b.Name] = b.weight()
	}
	return out
}

// weights returns the weights that SetWeights set, or those in the YAML.
func (r *route) weights() map[string]int {
	if r.override.Weights != nil {
		return r.override.Weights.Wanted
	}
	return r.declared()
}

// current is the route with its current weights, as the router takes it.
func (r *route) current() router.Route {
	k, weights := keyOf(&r.spec), r.weights()
	out := router.Route{Namespace: k.Namespace, Name: k.Name, Port: r.spec.Spec.ParentRefs[0].Port, Rule: r.spec.Spec.Rules[0].Name}
	for _, b := range r.spec.Spec.Rules[0].BackendRefs {
		out.Backends = append(out.Backends, router.Backend{Service: b.Name, Port: b.Port, Weight: weights[b.Name]})
	}
	return out
}

// Route returns an HTTPRoute with its current weights.
func (o *Orchestrator) Route(name types.NamespacedName) (router.Route, error) {
	r, err := o.route(name)
	if err != nil {
		return router.Route{}, err
	}
	return r.current(), nil // a route is replaced, never changed
}

func (o *Orchestrator) route(name types.NamespacedName) (*route, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.routes[name]
	if r == nil {
		return nil, fmt.Errorf("there is no HTTPRoute %s; these are: %s", name, list(o.routes))
	}
	return r, nil
}

// hostPort finds the port of this machine that a Service's targetPort is mapped to.
func hostPort(ports []pod.Port) func(intstr.IntOrString) (int, bool) {
	return func(target intstr.IntOrString) (int, bool) {
		for _, p := range ports {
			if portIs(target, p.Name, p.Container) {
				return p.Host, true
			}
		}
		return 0, false
	}
}

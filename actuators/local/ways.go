package local

import (
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/router"
)

// ways are the routes as the router has them, in a fixed order.
func ways(routes map[key]*route) []router.Route {
	var out []router.Route
	for _, k := range keysOf(routes) {
		out = append(out, routes[k].way())
	}
	return out
}

// way is a route with its present weights.
func (r *route) way() router.Route {
	k, weights := keyOf(&r.spec.ObjectMeta), r.weights()
	out := router.Route{Namespace: k.namespace, Name: k.name, Port: r.spec.Spec.ParentRefs[0].Port}
	for _, b := range r.spec.Spec.Rules[0].BackendRefs {
		out.Backends = append(out.Backends, router.Backend{Service: b.Name, Port: b.Port, Weight: weights[b.Name]})
	}
	return out
}

// portOf finds the port of this machine that a Service's targetPort is mapped to.
func portOf(ports []pod.Port) func(intstr.IntOrString) (int, bool) {
	return func(target intstr.IntOrString) (int, bool) {
		for _, p := range ports {
			if portIs(target, p.Name, p.Container) {
				return p.Host, true
			}
		}
		return 0, false
	}
}

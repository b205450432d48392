package kubernetes

import (
	"context"
	"fmt"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// httpRoute is the Gateway API's HTTPRoute. A backend has its Service's name; the default
// weight is 1.
func httpRoute() trafficKind {
	return trafficKind{
		apiVersions: []string{"gateway.networking.k8s.io/v1", "gateway.networking.k8s.io/v1beta1"},
		field:       []string{"spec", "rules"},
		shift: func(o map[string]any, w verbparams.Traffic) ([]move, error) {
			var places []trafficPlace
			for i, rule := range fieldpath.Maps(o, "spec", "rules") {
				place := trafficPlace{
					path: fmt.Sprintf("spec.rules[%d]", i), name: fieldpath.Text(rule, "name"),
					narrowed: narrowedBy(fieldpath.Maps(rule, "matches"), "path"),
				}
				for _, ref := range fieldpath.Maps(rule, "backendRefs") {
					now, has := weightIn(ref, "weight")
					if !has {
						now = 1
					}
					place.items = append(place.items, backend{fieldpath.Text(ref, "name"), now, func(n int) { ref["weight"] = int64(n) }})
				}
				places = append(places, place)
			}
			return shiftRules(places, w.Rule, w.Weights, unchanged)
		},
		settled: func(_ context.Context, _ *Cluster, o *object, _ objectPatch) (engine.Outcome, error) {
			return routeSettled(o), nil
		},
	}
}

// routeSettled evaluates each gateway's conditions. It waits for a gateway whose conditions
// are of an earlier version. A route without any gateway's conditions is done.
func routeSettled(o *object) engine.Outcome {
	detail := "the weights are written; no gateway reports on the route"
	for _, parent := range fieldpath.Maps(o.Object, "status", "parents") {
		name := fieldpath.Text(parent, "parentRef", "name")
		for _, condition := range fieldpath.Maps(parent, "conditions") {
			kind := fieldpath.Text(condition, "type")
			if kind != "Accepted" && kind != "ResolvedRefs" {
				continue
			}
			seen, _ := fieldpath.Int(condition, "observedGeneration")
			switch {
			case seen < o.GetGeneration():
				return engine.Outcome{Status: engine.Running, Detail: fmt.Sprintf("the gateway %s has not taken the route yet", name)}
			case fieldpath.Text(condition, "status") == "False":
				return engine.Outcome{Status: engine.Failed, Detail: fmt.Sprintf("the gateway %s says that the route is not %s: %s: %s",
					name, kind, fieldpath.Text(condition, "reason"), fieldpath.Text(condition, "message"))}
			}
			detail = "the gateways have taken the weights"
		}
	}
	return engine.Outcome{Status: engine.Done, Detail: detail}
}

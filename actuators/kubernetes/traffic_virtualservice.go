package kubernetes

import (
	"errors"
	"fmt"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// wideIstioMatches are the fields of a match that leave in every caller, and those that have
// no part in the match.
var wideIstioMatches = []string{"uri", "ignoreUriCase", "gateways", "port", "scheme", "name", "statPrefix"}

// virtualService is Istio's. A backend is named by its host, or host/subset. The weights of a
// rule add up to 100; the default is 100 for the only destination, else 0. Routes of spec.tcp
// and spec.tls are left alone.
func virtualService() trafficKind {
	return trafficKind{
		apiVersions: []string{"networking.istio.io/v1", "networking.istio.io/v1beta1"},
		field:       []string{"spec", "http"},
		shift: func(o map[string]any, w verbparams.Traffic) ([]move, error) {
			rules := fieldpath.Maps(o, "spec", "http")
			if len(rules) == 0 {
				return nil, errors.New("has no rule in spec.http; the weights of spec.tcp and spec.tls are not written")
			}
			var places []trafficPlace
			for i, rule := range rules {
				place := trafficPlace{
					path: fmt.Sprintf("spec.http[%d]", i), name: fieldpath.Text(rule, "name"),
					narrowed: narrowedBy(fieldpath.Maps(rule, "match"), wideIstioMatches...),
				}
				routes := fieldpath.Maps(rule, "route")
				for _, route := range routes {
					now, has := weightIn(route, "weight")
					if !has && len(routes) == 1 {
						now = 100
					}
					name := fieldpath.Text(route, "destination", "host")
					if subset := fieldpath.Text(route, "destination", "subset"); subset != "" {
						name += "/" + subset
					}
					place.items = append(place.items, backend{name, now, func(n int) { route["weight"] = int64(n) }})
				}
				places = append(places, place)
			}
			return shiftRules(places, w.Rule, w.Weights, percent)
		},
	}
}

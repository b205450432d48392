package kubernetes

import (
	"fmt"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// virtualService is Istio's. A backend is named by its host, or host/subset. The weights of a
// rule add up to 100; the default is 100 for the only destination, else 0.
func virtualService() trafficKind {
	return trafficKind{
		apiVersions: []string{"networking.istio.io/v1", "networking.istio.io/v1beta1"},
		field:       []string{"spec", "http"},
		shift: func(o map[string]any, weights map[string]int) ([]move, error) {
			var places []trafficPlace
			for i, rule := range fieldpath.Maps(o, "spec", "http") {
				place := trafficPlace{what: fmt.Sprintf("http rule %d", i+1)}
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
			return shiftPlaces(places, weights, percent)
		},
	}
}

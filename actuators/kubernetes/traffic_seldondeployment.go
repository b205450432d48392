package kubernetes

import (
	"fmt"
	"slices"

	"github.com/scanflow-k8s/scanflow/actuators/routerule"
	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// seldonDeployment is Seldon Core's. A backend has its predictor's name. A shadow gets copies
// of requests and no share. The shares add up to 100; the default is 100 for the only
// predictor, else 0.
func seldonDeployment() trafficKind {
	return trafficKind{
		apiVersions: []string{"machinelearning.seldon.io/v1"},
		field:       []string{"spec", "predictors"},
		shift: func(o map[string]any, w verbparams.Traffic) ([]move, error) {
			var place trafficPlace
			for _, predictor := range fieldpath.Maps(o, "spec", "predictors") {
				if predictor["shadow"] == true {
					continue
				}
				now, _ := weightIn(predictor, "traffic")
				place.items = append(place.items, backend{fieldpath.Text(predictor, "name"), now, func(n int) { predictor["traffic"] = int64(n) }})
			}
			if len(place.items) == 1 && place.items[0].now == 0 {
				place.items[0].now = 100
			}
			if err := routerule.CheckBackends(w.Weights, place.names()); err != nil {
				return nil, err
			}
			for i, b := range place.items {
				if slices.Contains(place.names()[:i], b.name) {
					return nil, fmt.Errorf("has two predictors %s, so its weight is ambiguous; give each a name of its own", b.name)
				}
			}
			return place.shift(w.Weights, percent), nil
		},
	}
}

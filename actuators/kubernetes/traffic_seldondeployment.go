package kubernetes

import "github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"

// seldonDeployment is Seldon Core's: a backend is called by the name of its
// predictor. A shadow gets copies and no share of its own. The shares add up to 100,
// and one that is not there is 100 for the only predictor, else 0.
func seldonDeployment() splitter {
	return splitter{
		apiVersions: []string{"machinelearning.seldon.io/v1"},
		field:       []string{"spec", "predictors"},
		shift: func(o map[string]any, weights map[string]int) ([]move, error) {
			place := trafficPlace{what: "its list of predictors"}
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
			return shiftPlaces([]trafficPlace{place}, weights, percent)
		},
	}
}

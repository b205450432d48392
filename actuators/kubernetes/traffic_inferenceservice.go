package kubernetes

import (
	"github.com/scanflow-k8s/scanflow/actuators/routerule"
	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// The backends of an InferenceService are the newest revision of its predictor and the
// one before.
const (
	latestRevision   = "latest"
	previousRevision = "previous"
)

// inferenceService is KServe's. The newest revision gets a percentage (100 by default), the
// one before gets the rest.
func inferenceService() trafficKind {
	return trafficKind{
		apiVersions: []string{"serving.kserve.io/v1beta1"},
		field:       []string{"spec", "predictor", "canaryTrafficPercent"},
		shift: func(o map[string]any, w verbparams.Traffic) ([]move, error) {
			weights := w.Weights
			both := []string{latestRevision, previousRevision}
			if err := routerule.CheckBackends(weights, both); err != nil {
				return nil, err
			}
			predictor, _ := fieldpath.Find(o, "spec", "predictor")
			fields, ok := predictor.(map[string]any)
			if !ok {
				return nil, errNoPredictor
			}
			now, has := weightIn(fields, "canaryTrafficPercent")
			if !has {
				now = 100
			}
			to := percent(weightsOf(weights, both))[latestRevision]
			if to != now {
				fields["canaryTrafficPercent"] = int64(to)
			}
			return []move{{backend: latestRevision, from: now, to: to}, {backend: previousRevision, from: 100 - now, to: 100 - to}}, nil
		},
	}
}

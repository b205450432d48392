package verbparams

import (
	"maps"
	"slices"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// Traffic are the parameters of `traffic`.
type Traffic struct {
	Route   string         `json:"route" required:"true" doc:"name of the object that shares out the requests, in the target's namespace"`
	Kind    string         `json:"kind" enum:"HTTPRoute,VirtualService,InferenceService,SeldonDeployment" default:"HTTPRoute" doc:"kind of that object: a Gateway API HTTPRoute, an Istio VirtualService, a KServe InferenceService (its canary) or a SeldonDeployment; HTTPRoute only, locally"`
	Rule    string         `json:"rule" doc:"name of the rule to change in an HTTPRoute (spec.rules[].name) or a VirtualService (spec.http[].name); absent: the rule with exactly the backends of weights that matches no headers, query parameters, method or source"`
	Weights map[string]int `json:"weights" required:"true" doc:"each backend's share of the requests, by the name of its Service (its host for a VirtualService, its predictor for a SeldonDeployment; for an InferenceService latest and previous, or in Standard mode stable and the names of canaries); with rule, and for a SeldonDeployment or an InferenceService, a backend that is not named gets none; else name all of the rule"`
}

// Check returns the mistakes in the values.
func (w Traffic) Check() mistake.Mistakes {
	var out mistake.Mistakes
	if w.Route == "" {
		out.Add("route", "must not be empty", "")
	}
	if w.Rule != "" && w.Kind != "" && w.Kind != "HTTPRoute" && w.Kind != "VirtualService" {
		out.Add("rule", "has no effect on a "+w.Kind+", which has no rules", "leave it out")
	}
	sum := 0
	for _, name := range slices.Sorted(maps.Keys(w.Weights)) {
		if w.Weights[name] < 0 {
			out.Add(mistake.Key("weights", name), "must not be negative", "")
		}
		sum += max(w.Weights[name], 0)
	}
	if sum == 0 {
		out.Add("weights", "at least one must be above 0", "")
	}
	return out
}

package with

import "strings"

// ModelServe are the parameters of `model.serve`.
type ModelServe struct {
	URI           string `json:"uri" doc:"where the model lies, as s3://models/digits/4; absent: only the version, or the canary's share, changes"`
	Version       string `json:"version" doc:"the model's version, shown to policies as input.target.model; absent: the uri"`
	CanaryPercent *int   `json:"canaryPercent" doc:"share of the requests, 0 to 100, that the new model gets: on an InferenceService, or a SeldonDeployment with two predictors"`
	Container     string `json:"container" doc:"the container that serves, or the predictor of a SeldonDeployment; absent: the only one"`
	Env           string `json:"env" doc:"on a workload: the container's variable that holds the uri, or the version if there is no uri"`
	Argument      string `json:"argument" doc:"on a workload: how the container's argument begins that holds the uri, or the version if there is no uri, as --model="`
}

// Check returns the mistakes in the values.
func (w ModelServe) Check() []string {
	var out []string
	if w.URI == "" && w.Version == "" && w.CanaryPercent == nil {
		out = append(out, "must say what to serve: set uri, version or canaryPercent")
	}
	if w.CanaryPercent != nil && (*w.CanaryPercent < 0 || *w.CanaryPercent > 100) {
		out = append(out, "canaryPercent: must be between 0 and 100")
	}
	if w.Env != "" && w.Argument != "" {
		out = append(out, "env and argument: write one of them")
	}
	if strings.Contains(w.Env, "=") {
		out = append(out, "env: must be the name of a variable, without =")
	}
	return out
}

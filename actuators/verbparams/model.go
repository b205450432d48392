package verbparams

import (
	"strconv"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// ModelServe are the parameters of `model.serve`.
type ModelServe struct {
	URI           string `json:"uri" doc:"where the model lies, as s3://models/digits/4; absent: only the version, or the canary's share, changes"`
	Version       string `json:"version" doc:"the model's version, shown to policies as input.target.model; absent: the uri"`
	CanaryPercent *int   `json:"canaryPercent" doc:"share of the requests, 0 to 100, that the new model gets: on an InferenceService, where 100 in Standard mode makes the canary the stable one, or a SeldonDeployment with two predictors"`
	Container     string `json:"container" doc:"the container that serves, the predictor of a SeldonDeployment, or the canary of an InferenceService in Standard mode; absent: the only one"`
	Env           string `json:"env" doc:"on a workload: the container's variable that holds the uri, or the version if there is no uri"`
	Argument      string `json:"argument" doc:"on a workload: how the container's argument begins that holds the uri, or the version if there is no uri, as --model="`
}

// Check returns the mistakes in the values.
func (w ModelServe) Check() mistake.Mistakes {
	var out mistake.Mistakes
	if w.URI == "" && w.Version == "" && w.CanaryPercent == nil {
		out.Add("", "must say what to serve: set uri, version or canaryPercent", "")
	}
	if w.CanaryPercent != nil && (*w.CanaryPercent < 0 || *w.CanaryPercent > 100) {
		out.Add("canaryPercent", "must be between 0 and 100", "")
	}
	if w.Env != "" && w.Argument != "" {
		out.Add("", "env and argument: write one of them", "")
	}
	if strings.Contains(w.Env, "=") {
		out.Add("env", "must be the name of a variable, without =", "")
	}
	return out
}

// ModelPromote are the parameters of `model.promote`.
type ModelPromote struct {
	Model    string `json:"model" required:"true" doc:"name of the registered model"`
	Version  string `json:"version" required:"true" doc:"the version to promote; it must be READY, and not marked as rolled back"`
	Alias    string `json:"alias" default:"production" doc:"the alias that names the version in production; on a tracker older than aliases (MLflow 2.3), the stage of that name"`
	Previous string `json:"previous" default:"previous" doc:"the alias that the replaced version gets, to be rolled back to; a tracker without aliases archives that version"`
}

// Check returns the mistakes in the values.
func (w ModelPromote) Check() mistake.Mistakes {
	return append(checkNames(w.Model, w.Alias, w.Previous), checkVersion("version", w.Version)...)
}

// ModelRollback are the parameters of `model.rollback`.
type ModelRollback struct {
	Model    string `json:"model" required:"true" doc:"name of the registered model"`
	Alias    string `json:"alias" default:"production" doc:"the alias that names the version in production, as in model.promote"`
	Previous string `json:"previous" default:"previous" doc:"the alias that names the version to go back to, as in model.promote"`
	Reason   string `json:"reason" doc:"kept at the version that is taken out of production; absent: the proposal's reason"`
}

// Check returns the mistakes in the values.
func (w ModelRollback) Check() mistake.Mistakes { return checkNames(w.Model, w.Alias, w.Previous) }

// ModelClaim returns the claim of `model.promote` and `model.rollback`: the registered model.
// The model that a workload serves is another field, with a claim of its own.
func ModelClaim(parameters map[string]any) string {
	name, _ := parameters["model"].(string)
	return "model/" + name
}

// checkNames returns the mistakes in the names of a registered model and its aliases.
func checkNames(model, alias, previous string) mistake.Mistakes {
	var out mistake.Mistakes
	for _, f := range []struct{ field, value string }{{"model", model}, {"alias", alias}, {"previous", previous}} {
		if f.value == "" {
			out.Add(f.field, "must not be empty", "")
		}
	}
	if alias == previous && alias != "" {
		out.Add("previous", "must be another alias than alias", "")
	}
	return out
}

// checkVersion returns the mistakes in the number of a version.
func checkVersion(field, value string) mistake.Mistakes {
	if n, err := strconv.ParseUint(value, 10, 63); err != nil || n == 0 {
		return mistake.Mistakes{{Path: field, Message: `must be the number of a version, as "4"`}}
	}
	return nil
}

package verbparams

import (
	"strings"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// RunTag are the parameters of `run.tag`.
type RunTag struct {
	RunID string `json:"run_id" required:"true" doc:"id of the run in the tracker"`
	Key   string `json:"key" required:"true" doc:"name of the tag; one that begins with mlflow. is the tracker's own"`
	Value string `json:"value" required:"true" doc:"the text that it shall have"`
}

// Check returns the mistakes in the values.
func (w RunTag) Check() mistake.Mistakes {
	var out mistake.Mistakes
	if w.RunID == "" {
		out.Add("run_id", "must not be empty", "")
	}
	if w.Key == "" {
		out.Add("key", "must not be empty", "")
	}
	if strings.HasPrefix(w.Key, "mlflow.") {
		out.Add("key", "what begins with mlflow. is the tracker's own", "use another name")
	}
	return out
}

package verbparams

import "github.com/scanflow-k8s/scanflow/engine/mistake"

// Scale are the parameters of `scale`.
type Scale struct {
	Replicas int `json:"replicas" required:"true" doc:"how many replicas there shall be"`
}

// Check returns the mistakes in the values.
func (w Scale) Check() mistake.Mistakes {
	if w.Replicas < 0 {
		return mistake.Mistakes{{Path: "replicas", Message: "must not be negative"}}
	}
	return nil
}

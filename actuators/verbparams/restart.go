package verbparams

import "github.com/scanflow-k8s/scanflow/engine/mistake"

// Restart are the parameters of `restart`.
type Restart struct {
	// Pod is a pointer, because an empty name must not restart every pod.
	Pod *string `json:"pod" doc:"name of one of the target's pods, to restart it alone; needs spec.targets.pods: true; absent: every pod, by the workload's own strategy"`
}

// Check returns the mistakes in the values.
func (w Restart) Check() mistake.Mistakes {
	if w.Pod != nil && *w.Pod == "" {
		return mistake.Mistakes{{Path: "pod", Message: "must not be empty; leave it out to restart every pod"}}
	}
	return nil
}

package verbparams

import (
	"slices"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// Autoscaler are the parameters of `autoscaler`. A field that is left out is not changed. An
// InferenceService takes min and max alone.
type Autoscaler struct {
	Kind     string `json:"kind" enum:"HorizontalPodAutoscaler,ScaledObject" doc:"kind of the autoscaler; absent: that of the one that scales the target, or else HorizontalPodAutoscaler"`
	Name     string `json:"name" doc:"name of the autoscaler; absent: that of the one that scales the target, or else the target's"`
	Min      *int   `json:"min" doc:"fewest replicas"`
	Max      *int   `json:"max" doc:"most replicas; required where the autoscaler is made"`
	Metrics  []any  `json:"metrics" doc:"metrics of a HorizontalPodAutoscaler, as autoscaling/v2 writes them; required where one is made"`
	Triggers []any  `json:"triggers" doc:"triggers of a ScaledObject, as keda.sh/v1alpha1 writes them; required where one is made"`
}

// The kinds of autoscaler.
const (
	HorizontalPodAutoscaler = "HorizontalPodAutoscaler"
	ScaledObject            = "ScaledObject"
)

// Check returns the mistakes in the values.
func (w Autoscaler) Check() mistake.Mistakes {
	var out mistake.Mistakes
	if w.Min == nil && w.Max == nil && w.Metrics == nil && w.Triggers == nil {
		out.Add("max", "nothing would be changed", "set min, max, metrics or triggers")
	}
	if w.Min != nil && *w.Min < 0 {
		out.Add("min", "must not be negative", "")
	}
	if w.Max != nil && *w.Max < 1 {
		out.Add("max", "must be at least 1", "")
	}
	if w.Min != nil && w.Max != nil && *w.Min > *w.Max {
		out.Add("min", "must not be above max", "")
	}
	if w.Metrics != nil && (w.Kind == ScaledObject || w.Triggers != nil) {
		out.Add("metrics", "are those of a HorizontalPodAutoscaler", "a ScaledObject has triggers")
	}
	if w.Triggers != nil && w.Kind == HorizontalPodAutoscaler {
		out.Add("triggers", "are those of a ScaledObject", "a HorizontalPodAutoscaler has metrics")
	}
	return slices.Concat(out, checkMappings("metrics", w.Metrics), checkMappings("triggers", w.Triggers))
}

package local

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// ScaleWith are the parameters of `scale`.
type ScaleWith struct {
	Replicas int `json:"replicas" required:"true" doc:"how many replicas there shall be"`
}

// TrafficWith are the parameters of `traffic`.
type TrafficWith struct {
	Route   string         `json:"route" required:"true" doc:"name of an HTTPRoute in the target's namespace"`
	Weights map[string]int `json:"weights" required:"true" doc:"each backend Service's share of the requests; a backend that is not named gets none"`
}

// RestartWith are the parameters of `restart`: none.
type RestartWith struct{}

// Check returns the mistakes in the values.
func (w ScaleWith) Check() []string {
	if w.Replicas < 0 {
		return []string{"replicas: must not be negative"}
	}
	return nil
}

// Check returns the mistakes in the values.
func (w TrafficWith) Check() []string {
	var out []string
	if w.Route == "" {
		out = append(out, "route: must not be empty")
	}
	sum := 0
	for _, name := range sortedKeys(w.Weights) {
		if w.Weights[name] < 0 {
			out = append(out, fmt.Sprintf("weights.%s: must not be negative", name))
		}
		sum += max(w.Weights[name], 0)
	}
	if sum == 0 {
		out = append(out, "weights: at least one must be above 0")
	}
	return out
}

// scaleWith reads parameters, and names every mistake.
func scaleWith(with map[string]any) (w ScaleWith, mistakes []string) {
	mistakes = manifest.DecodeMap(with, &w)
	return w, mistakes
}

func trafficWith(with map[string]any) (w TrafficWith, mistakes []string) {
	mistakes = manifest.DecodeMap(with, &w)
	return w, mistakes
}

func restartWith(with map[string]any) []string { return manifest.DecodeMap(with, &RestartWith{}) }

// refuse is the error for parameters with mistakes; nil if there are none.
func refuse(p engine.Proposal, mistakes []string) error {
	if len(mistakes) == 0 {
		return nil
	}
	return fmt.Errorf("%s %s: %s", p.Primitive, p.Target.ID(), strings.Join(mistakes, "; "))
}

// deploymentOf is the Deployment that a proposal is about.
func deploymentOf(p engine.Proposal) (key, error) {
	if p.Target.Kind != kindDeployment {
		return key{}, fmt.Errorf("%s %s: the target's kind is %q; the local orchestrator can do that to a Deployment only",
			p.Primitive, p.Target.ID(), p.Target.Kind)
	}
	return key{p.Target.Namespace, p.Target.Name}, nil
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

package local

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine"
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

// params reads parameters that came as JSON values, and collects every mistake.
type params struct {
	with     map[string]any
	mistakes []string
}

func (p *params) add(format string, args ...any) {
	p.mistakes = append(p.mistakes, fmt.Sprintf("with."+format, args...))
}

func (p *params) only(names ...string) {
	for _, name := range sortedKeys(p.with) {
		if !slices.Contains(names, name) {
			p.add("%s: is not a parameter of this verb", name)
		}
	}
	for _, name := range names {
		if _, ok := p.with[name]; !ok {
			p.add("%s: is required", name)
		}
	}
}

func (p *params) whole(at string, v any) int {
	f, ok := v.(float64)
	switch n := v.(type) {
	case int:
		f, ok = float64(n), true
	case int64:
		f, ok = float64(n), true
	}
	if !ok || f != math.Trunc(f) || math.Abs(f) > math.MaxInt32 {
		p.add("%s: %v is not a whole number", at, v)
		return 0
	}
	return int(f)
}

// finish adds the mistakes of the values, once their types are right.
func (p *params) finish(check []string) []string {
	if len(p.mistakes) == 0 {
		for _, m := range check {
			p.add("%s", m)
		}
	}
	return p.mistakes
}

func scaleWith(with map[string]any) (ScaleWith, []string) {
	p := params{with: with}
	p.only("replicas")
	var w ScaleWith
	if v, ok := with["replicas"]; ok {
		w.Replicas = p.whole("replicas", v)
	}
	return w, p.finish(w.Check())
}

func trafficWith(with map[string]any) (TrafficWith, []string) {
	p := params{with: with}
	p.only("route", "weights")
	w := TrafficWith{Weights: map[string]int{}}
	if v, ok := with["route"]; ok {
		if w.Route, ok = v.(string); !ok {
			p.add("route: %v is not a string", v)
		}
	}
	switch v := with["weights"].(type) {
	case nil:
	case map[string]any:
		for _, name := range sortedKeys(v) {
			w.Weights[name] = p.whole("weights."+name, v[name])
		}
	case map[string]int:
		w.Weights = v
	default:
		p.add("weights: must be an object of Service names and whole numbers")
	}
	return w, p.finish(w.Check())
}

func restartWith(with map[string]any) []string {
	p := params{with: with}
	p.only()
	return p.mistakes
}

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

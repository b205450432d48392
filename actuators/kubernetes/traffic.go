package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// Traffic is the verb `traffic`: how an object in the target's namespace shares
// requests out. Lists that the API server can't write in part are written whole, as
// they were read, on the version that was read.
func Traffic(c *Cluster) engine.Actuator { return shifter{c} }

var _ engine.Verifier = shifter{}

type shifter struct{ *Cluster }

// splitter is how one kind of object shares requests out.
type splitter struct {
	// apiVersions are those that the kind is written in, the preferred first.
	apiVersions []string
	// field is what is written of the object, as a path of names.
	field []string
	// shift gives each place that shares requests among these backends their weights,
	// in the object itself, which is a copy. Some kinds want weights that add up to
	// 100: those are made so.
	shift func(o map[string]any, weights map[string]int) ([]move, error)
	// settled is what the object says of the write, nil where it says nothing.
	settled func(o *object) engine.Outcome
}

// splitters has a line a kind.
func splitters() map[string]splitter {
	return map[string]splitter{
		"HTTPRoute":        httpRoute(),
		"VirtualService":   virtualService(),
		"InferenceService": inferenceService(),
		"SeldonDeployment": seldonDeployment(),
	}
}

// move is the weight of a backend, before and after.
type move struct {
	backend  string
	from, to int
}

var (
	errNoBackend   = errors.New("has no such backend")
	errNoPredictor = errors.New("has no spec.predictor")
)

// Plan compares the weights of every backend with those asked for.
func (s shifter) Plan(ctx context.Context, p engine.Proposal) (engine.Change, error) {
	var w verbparams.Traffic
	if err := refuse(p, manifest.DecodeMap(p.With, &w)); err != nil {
		return engine.Change{}, err
	}
	kind := splitters()[w.Kind]
	o, err := s.getFirst(ctx, kind.apiVersions, w.Kind, p.Target.Namespace, w.Route)
	if err != nil {
		return engine.Change{}, fmt.Errorf("traffic %s: %w", p.Target.ID(), err)
	}
	next := runtime.DeepCopyJSON(o.Object)
	moves, err := kind.shift(next, w.Weights)
	if err != nil {
		return engine.Change{}, fmt.Errorf("traffic %s: %s %s/%s %w", p.Target.ID(), w.Kind, o.GetNamespace(), o.GetName(), err)
	}
	write := writeTo(o, "traffic", pickPath(next, kind.field))
	if moves = slices.DeleteFunc(moves, func(m move) bool { return m.from == m.to }); len(moves) == 0 {
		return engine.Planned(p, true, fmt.Sprintf("%s: weights as they are", write), writePlan{Write: write})
	}
	path := make([]any, len(kind.field))
	for i, name := range kind.field {
		path[i] = name
	}
	taken, err := mayTakeAll(o, p, []fieldChange{{path: path}})
	if err != nil {
		return engine.Change{}, fmt.Errorf("traffic %s: %s: %w", p.Target.ID(), write, err)
	}
	return engine.Planned(p, false, fmt.Sprintf("%s: weights %s%s", write, movesOf(moves), taken), writePlan{Write: write})
}

// getFirst reads an object in the first version of its kind that the cluster has.
func (c *Cluster) getFirst(ctx context.Context, apiVersions []string, kind, namespace, name string) (o *object, err error) {
	var first error
	for _, version := range apiVersions {
		if o, err = c.get(ctx, version, kind, namespace, name); !apiclient.Missing(err) {
			return o, err
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// pickPath is the part of an object along a path of names.
func pickPath(o map[string]any, path []string) map[string]any {
	if len(path) == 1 {
		return map[string]any{path[0]: o[path[0]]}
	}
	below, _ := o[path[0]].(map[string]any)
	return map[string]any{path[0]: pickPath(below, path[1:])}
}

// movesOf is a diff; what is the same in several places is said once.
func movesOf(moves []move) string {
	var parts []string
	for _, m := range moves {
		text := fmt.Sprintf("%s %d -> %d", m.backend, m.from, m.to)
		if !slices.Contains(parts, text) {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, ", ")
}

// Apply writes the weights.
func (s shifter) Apply(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[writePlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	if err := s.apply(ctx, plan.Write); err != nil {
		return engine.Outcome{}, err
	}
	return engine.Outcome{Status: engine.Running, Detail: "the weights are written"}, nil
}

// Verify is done if the weights are still those, and whoever carries them out, where
// that one reports, has taken them.
func (s shifter) Verify(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	o, w, still, err := s.stillWritten(ctx, c)
	if err != nil {
		return engine.Outcome{}, err
	}
	if !still {
		return overwritten(w), nil
	}
	if settled := splitters()[w.Kind].settled; settled != nil {
		return settled(o), nil
	}
	return engine.Outcome{Status: engine.Done, Detail: "the weights are written"}, nil
}

// Undo gives the weights back that were there.
func (s shifter) Undo(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	return s.undoWrite(ctx, c)
}

// unknown is the error for backends that are not there; nil if all are.
func unknown(weights map[string]int, there []string) error {
	var missing []string
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		if !slices.Contains(there, name) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	have := "none"
	if len(there) > 0 {
		there = slices.Clone(there)
		slices.Sort(there)
		have = strings.Join(slices.Compact(there), ", ")
	}
	return fmt.Errorf("%w: %s; it has: %s", errNoBackend, strings.Join(missing, ", "), have)
}

// percent makes weights add up to 100, each as near to its share as whole numbers
// allow: what rounding down leaves goes to the largest remainders.
func percent(weights map[string]int) map[string]int {
	names := slices.Sorted(maps.Keys(weights))
	sum, left := 0, 100
	for _, n := range names {
		sum += weights[n]
	}
	out, rest := map[string]int{}, map[string]int{}
	if sum == 0 {
		return out
	}
	for _, n := range names {
		// The division comes first, so that no weight is too large to multiply.
		whole, part := weights[n]/sum, weights[n]%sum
		out[n] = whole*100 + part*100/sum
		rest[n] = part * 100 % sum
		left -= out[n]
	}
	slices.SortStableFunc(names, func(a, b string) int { return rest[b] - rest[a] })
	for _, n := range names[:left] {
		out[n]++
	}
	return out
}

// shared is the weights for some backends: those that are not named get none.
func shared(weights map[string]int, backends []string) map[string]int {
	out := map[string]int{}
	for _, b := range backends {
		out[b] = weights[b]
	}
	return out
}

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
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// Traffic is the verb `traffic`: it sets the weights by which an object in the target's
// namespace distributes requests. Lists that the API server treats as one value are written
// whole, on the version that was read.
func Traffic(c *Cluster) engine.Actuator { return trafficVerb{c} }

var _ engine.Verifier = trafficVerb{}

type trafficVerb struct{ *Cluster }

// trafficKind describes how one kind of object distributes requests.
type trafficKind struct {
	// apiVersions of the kind, the preferred one first.
	apiVersions []string
	// field is the path of the field to write, where it is the same for every object.
	field []string
	// shift sets the weights in o, which is a copy, and scales them to 100 for kinds that
	// require that.
	shift func(o map[string]any, w verbparams.Traffic) ([]move, error)
	// fieldOf returns the field to write where it depends on the object, and refuses an object
	// on which no field has an effect.
	fieldOf func(ctx context.Context, c *Cluster, o *object) ([]string, error)
	// settled returns the state that the object reports of what was written; nil for a kind
	// that reports none.
	settled func(ctx context.Context, c *Cluster, o *object, w objectPatch) (engine.Outcome, error)
}

func trafficKinds() map[string]trafficKind {
	return map[string]trafficKind{
		"HTTPRoute":        httpRoute(),
		"VirtualService":   virtualService(),
		"InferenceService": inferenceService(),
		"SeldonDeployment": seldonDeployment(),
	}
}

// move is the change of a backend's weight.
type move struct {
	place    string // "spec.rules[0]", where the object has others
	backend  string
	from, to int
}

var errNoPredictor = errors.New("has no spec.predictor")

func (s trafficVerb) Plan(ctx context.Context, p engine.Proposal) (engine.Change, error) {
	var w verbparams.Traffic
	if err := refuse(p, manifest.DecodeMap(p.With, &w)); err != nil {
		return engine.Change{}, err
	}
	kind := trafficKinds()[w.Kind]
	o, err := s.getFirst(ctx, kind.apiVersions, w.Kind, p.Target.Namespace, w.Route)
	if err != nil {
		return engine.Change{}, fmt.Errorf("traffic %s: %w", p.Target.ID(), err)
	}
	fail := func(err error) (engine.Change, error) {
		return engine.Change{}, fmt.Errorf("traffic %s: %s %s/%s %w", p.Target.ID(), w.Kind, o.GetNamespace(), o.GetName(), err)
	}
	field := kind.field
	if kind.fieldOf != nil {
		if field, err = kind.fieldOf(ctx, s.Cluster, o); err != nil {
			return fail(err)
		}
	}
	next := runtime.DeepCopyJSON(o.Object)
	moves, err := kind.shift(next, w)
	if err != nil {
		return fail(err)
	}
	patch := patchOf(o, "traffic", pickPath(next, field))
	if moves = slices.DeleteFunc(moves, func(m move) bool { return m.from == m.to }); len(moves) == 0 {
		return engine.Planned(p, true, fmt.Sprintf("%s: weights as they are", patch), patchPlan{Write: patch})
	}
	from, err := s.checkTakeOver(o, p, []fieldChange{{path: fieldpath.Names(field...)}})
	if err != nil {
		return engine.Change{}, fmt.Errorf("traffic %s: %s: %w", p.Target.ID(), patch, err)
	}
	return planned(p, fmt.Sprintf("%s: weights %s%s", patch, movesOf(moves), takeOverNote(from...)), patchPlan{Write: patch}, from)
}

// getFirst reads an object in the first version of its kind that the cluster serves.
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

// pickPath returns the part of an object along a path.
func pickPath(o map[string]any, path []string) map[string]any {
	if len(path) == 1 {
		return map[string]any{path[0]: o[path[0]]}
	}
	below, _ := o[path[0]].(map[string]any)
	return map[string]any{path[0]: pickPath(below, path[1:])}
}

// movesOf formats weights for a diff: those that move alike once, with the places.
func movesOf(moves []move) string {
	var parts, places []string
	for _, m := range moves {
		text := fmt.Sprintf("%s %d -> %d", m.backend, m.from, m.to)
		if !slices.Contains(parts, text) {
			parts = append(parts, text)
		}
		if m.place != "" && !slices.Contains(places, m.place) {
			places = append(places, m.place)
		}
	}
	text := strings.Join(parts, ", ")
	if len(places) > 0 {
		text += " in " + strings.Join(places, ", ")
	}
	return text
}

func (s trafficVerb) Apply(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	out, err := s.applyPatch(ctx, c)
	if err == nil {
		out.Detail = "the weights are written"
	}
	return out, err
}

// Verify is done if the weights are unchanged and the gateway, where it reports, has
// accepted them.
func (s trafficVerb) Verify(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	o, w, still, err := s.stillApplied(ctx, c)
	if err != nil {
		return engine.Outcome{}, err
	}
	if !still {
		return overwritten(w), nil
	}
	if settled := trafficKinds()[w.Kind].settled; settled != nil {
		return settled(ctx, s.Cluster, o, w)
	}
	return engine.Outcome{Status: engine.Done, Detail: "the weights are written"}, nil
}

func (s trafficVerb) Undo(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	return s.undoPatch(ctx, c)
}

// percent scales weights to a sum of 100. What rounding down leaves goes to the largest
// remainders.
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
		// Divide first, so that a large weight does not overflow.
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

// weightsOf returns the weights of some backends; one that is not named has 0.
func weightsOf(weights map[string]int, backends []string) map[string]int {
	out := map[string]int{}
	for _, b := range backends {
		out[b] = weights[b]
	}
	return out
}

package policy

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
	"github.com/scanflow-k8s/scanflow/engine/policy/bounded"
)

// clamp is one element of a guard's `clamp`: bounds for one number of a proposal.
type clamp struct {
	guard, reason string
	path          []string
	min, max      *bound
}

// bound is a number, with its text for messages.
type bound struct {
	value float64
	exact any // as jsonvalue.Exact returns it
}

func (b *bound) String() string { return strconv.FormatFloat(b.value, 'g', -1, 64) }

// clampKeys are the keys of an element of `clamp`.
var clampKeys = []string{"with", "min", "max", "reason"}

const clampForm = "write it as `clamp contains {\"with\": \"replicas\", \"min\": 3, \"reason\": \"key\"} if {...}`, with min, max or both"

// readClamps converts the answer of a guard. A malformed clamp denies.
func readClamps(answer ast.Value, guard string) ([]clamp, []engine.Denial) {
	deny := func(format string, args ...any) []engine.Denial {
		return []engine.Denial{{Guard: guard, Reason: fmt.Sprintf(format, args...)}}
	}
	if !bounded.Within(answer, MaxProposal) {
		return nil, deny("its clamps are larger than %d bytes when they are written out; give fewer", MaxProposal)
	}
	set, ok := answer.(ast.Set)
	if !ok {
		return nil, deny("clamp is %s, not a set of clamps", ast.ValueName(answer))
	}
	var out []clamp
	var wrong []engine.Denial
	for _, t := range set.Slice() {
		c, problems := readClamp(t.Value)
		if len(problems) > 0 {
			wrong = append(wrong, deny("clamp %s: %s", formatValue(t.Value), joinClipped(problems))...)
			continue
		}
		c.guard = guard
		out = append(out, c)
	}
	return out, wrong
}

// readClamp reads one element of `clamp`, and names everything that is wrong with it.
func readClamp(v ast.Value) (clamp, []string) {
	var c clamp
	obj, ok := v.(ast.Object)
	if !ok {
		return c, []string{"must be an object, not " + ast.ValueName(v)}
	}
	var problems []string
	obj.Foreach(func(k, t *ast.Term) {
		var problem string
		switch key, _ := k.Value.(ast.String); key {
		case "with":
			c.path, problem = clampPath(t.Value)
		case "min":
			c.min, problem = clampBound("min", t.Value)
		case "max":
			c.max, problem = clampBound("max", t.Value)
		case "reason":
			c.reason, problem = clampReason(t.Value)
		default:
			problem = fmt.Sprintf("unknown key %s; the keys are %s", formatValue(k.Value), strings.Join(clampKeys, ", "))
		}
		if problem != "" {
			problems = append(problems, problem)
		}
	})
	has := func(key string) bool { return obj.Get(ast.StringTerm(key)) != nil }
	for _, key := range []string{"with", "reason"} {
		if !has(key) {
			problems = append(problems, key+" is missing")
		}
	}
	if !has("min") && !has("max") {
		problems = append(problems, "min and max are missing; give one or both")
	}
	if c.min != nil && c.max != nil && c.min.value > c.max.value {
		problems = append(problems, fmt.Sprintf("min %s is above max %s", c.min, c.max))
	}
	return c, problems
}

// clampPath reads the name of a parameter, or the path of a number below one.
func clampPath(v ast.Value) ([]string, string) {
	const form = `with must be the name of a parameter, or a path as ["weights", "canary"]`
	list := []*ast.Term{ast.NewTerm(v)}
	if array, is := v.(*ast.Array); is {
		list = nil
		array.Foreach(func(t *ast.Term) { list = append(list, t) })
	}
	var path []string
	for _, t := range list {
		name, _ := t.Value.(ast.String)
		if name == "" {
			return nil, form + ", not " + formatValue(v)
		}
		path = append(path, string(name))
	}
	if len(path) == 0 {
		return nil, form + ", not an empty array"
	}
	return path, ""
}

func clampBound(key string, v ast.Value) (*bound, string) {
	n, ok := v.(ast.Number)
	if !ok {
		return nil, fmt.Sprintf("%s must be a number, not %s", key, ast.ValueName(v))
	}
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil { // beyond the range of a float64
		return nil, fmt.Sprintf("%s: %s is too large a number", key, clip(string(n)))
	}
	return &bound{f, jsonvalue.Exact(json.Number(n))}, ""
}

func clampReason(v ast.Value) (string, string) {
	text, ok := v.(ast.String)
	switch {
	case !ok:
		return "", "reason must be a string, not " + ast.ValueName(v)
	case strings.TrimSpace(string(text)) == "":
		return "", "reason is empty"
	}
	return engine.Clip(string(text)), ""
}

// applyClamps bounds the parameters of a proposal by the largest min and the smallest max
// of each. It returns the parameters that changed, and all of them after that. What can't be
// clamped is denied.
func applyClamps(p engine.Proposal, clamps []clamp) (changed []engine.Clamp, with map[string]any, denials []engine.Denial) {
	byPath := map[string][]clamp{}
	for _, c := range clamps {
		key := fmt.Sprintf("%q", c.path)
		byPath[key] = append(byPath[key], c)
	}
	with = p.With
	for _, key := range slices.Sorted(maps.Keys(byPath)) {
		group := byPath[key]
		path := group[0].path
		name := strings.Join(path, ".")
		value, there := valueAt(p.With, path)
		number, isNumber := jsonvalue.Float(value)
		lowest, highest := tightest(group)
		switch {
		case !there || !isNumber:
			problem := fmt.Sprintf("clamps %s, and this %s has none; name the verbs that it is for in METADATA, as `custom: {verbs: [scale]}`", name, p.Primitive)
			if there {
				problem = fmt.Sprintf("clamps %s, which is no number in this %s", name, p.Primitive)
			}
			for _, c := range group {
				denials = append(denials, engine.Denial{Guard: c.guard, Reason: problem + " (" + c.reason + ")"})
			}
		case lowest != nil && highest != nil && lowest.min.value > highest.max.value:
			denials = append(denials, engine.Denial{Guard: lowest.guard, Reason: fmt.Sprintf("its min %s for %s (%s) is above the max %s of guard %s (%s)",
				lowest.min, name, lowest.reason, highest.max, highest.guard, highest.reason)})
		case lowest != nil && number < lowest.min.value:
			with = withValue(with, path, lowest.min.exact)
			changed = append(changed, engine.Clamp{Path: path, Proposed: number, Clamped: lowest.min.value, Bound: "min " + lowest.min.String(), Guard: lowest.guard, Reason: lowest.reason})
		case highest != nil && number > highest.max.value:
			with = withValue(with, path, highest.max.exact)
			changed = append(changed, engine.Clamp{Path: path, Proposed: number, Clamped: highest.max.value, Bound: "max " + highest.max.String(), Guard: highest.guard, Reason: highest.reason})
		}
	}
	return changed, with, denials
}

// tightest returns the clamps with the largest min and with the smallest max; of equal ones
// the first by guard and reason.
func tightest(clamps []clamp) (lowest, highest *clamp) {
	slices.SortFunc(clamps, func(a, b clamp) int {
		return cmp.Or(strings.Compare(a.guard, b.guard), strings.Compare(a.reason, b.reason))
	})
	for i := range clamps {
		c := &clamps[i]
		if c.min != nil && (lowest == nil || c.min.value > lowest.min.value) {
			lowest = c
		}
		if c.max != nil && (highest == nil || c.max.value < highest.max.value) {
			highest = c
		}
	}
	return lowest, highest
}

// valueAt returns the value at a path.
func valueAt(with map[string]any, path []string) (any, bool) {
	var v any = with
	for _, key := range path {
		m, _ := v.(map[string]any)
		below, there := m[key]
		if !there {
			return nil, false
		}
		v = below
	}
	return v, true
}

// withValue returns a copy of a mapping with another value at a path that exists. Proposals
// share their parameters with later turns, so they are not changed in place.
func withValue(with map[string]any, path []string, v any) map[string]any {
	out := maps.Clone(with)
	if len(path) > 1 {
		below, _ := out[path[0]].(map[string]any)
		v = withValue(below, path[1:], v)
	}
	out[path[0]] = v
	return out
}

package sensors

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/prometheus/common/model"

	"github.com/scanflow-k8s/scanflow/engine"
)

// series is one series of an answer and the signal that it means.
type series struct {
	labels model.Metric
	signal engine.Signal
}

// pair says that a series is a target's where a label of the one equals a field
// of the other.
type pair struct{ label, field string }

func sortedPairs(match map[string]string) []pair {
	var out []pair
	for _, label := range slices.Sorted(maps.Keys(match)) {
		out = append(out, pair{label, match[label]})
	}
	return out
}

// defaultMatch is tried where the manifest says nothing.
var defaultMatch = []pair{{"namespace", "namespace"}, {"deployment", "name"}}

// deal gives each target its series. A target without one is Empty; with two it
// is an Error that names both. It takes one pass over the fleet and one over the
// series.
func deal(fleet []engine.Target, list []series, match []pair) (engine.Reading, error) {
	out := make(engine.Reading, len(fleet))
	for i := range out {
		out[i].State = engine.Empty
	}
	if len(list) == 0 {
		return out, nil
	}
	if match == nil {
		if !allHave(list, defaultMatch) {
			return dealToAll(out, list)
		}
		match = defaultMatch
	}

	targets, next := index(fleet, out, match)
	const none, several = -1, -2
	owner := make([]int, len(fleet)) // the series that a target has
	for i := range owner {
		owner[i] = none
	}
	var key []byte
	dealt := false
	for s := range list {
		key = key[:0]
		for _, p := range match {
			key = append(append(key, list[s].labels[model.LabelName(p.label)]...), 0xff)
		}
		first, ok := targets[string(key)]
		for i := first; ok && i >= 0; i = next[i] {
			dealt = true
			switch owner[i] {
			case none:
				owner[i], out[i] = s, list[s].signal
			case several:
			default:
				out[i] = engine.Signal{State: engine.Error, Problem: two(list[owner[i]], list[s])}
				owner[i] = several
			}
		}
	}
	if !dealt {
		problem := fmt.Sprintf("%d series came, none of a target of this agent; the first is %s, matched by %s", len(list), list[0].labels, describe(match))
		for i := range out {
			out[i].Problem = problem
		}
	}
	return out, nil
}

// index maps what a series must have to the first target that it is for, and
// each target to the next of the same. A target that lacks a field has no series.
func index(fleet []engine.Target, out engine.Reading, match []pair) (map[string]int32, []int32) {
	targets := make(map[string]int32, len(fleet))
	next := make([]int32, len(fleet))
	var key []byte
fleet:
	for i := range fleet {
		key = key[:0]
		for _, p := range match {
			value, ok := fleet[i].Field(p.field)
			if !ok {
				out[i].Problem = fmt.Sprintf("the target has no label %q", p.field)
				continue fleet
			}
			key = append(append(key, value...), 0xff)
		}
		first, ok := targets[string(key)]
		if !ok {
			first = -1
		}
		next[i], targets[string(key)] = first, int32(i)
	}
	return targets, next
}

// dealToAll gives every target the one value. A series with labels is somebody's
// in particular, so it goes to a fleet of one only: otherwise, with one target's
// series gone, another's would pass for it.
func dealToAll(out engine.Reading, list []series) (engine.Reading, error) {
	if len(list) > 1 {
		return nil, errors.New(two(list[0], list[1]) + ", or say by `match` which is whose")
	}
	labels := list[0].labels
	_, named := labels[model.MetricNameLabel]
	if bare := len(labels) == 0 || (named && len(labels) == 1); !bare && len(out) > 1 {
		return nil, fmt.Errorf("the series %s is not of all %d targets; say by `match` whose it is, or aggregate its labels away", labels, len(out))
	}
	for i := range out {
		out[i] = list[0].signal
	}
	return out, nil
}

func allHave(list []series, match []pair) bool {
	for _, s := range list {
		for _, p := range match {
			if _, ok := s.labels[model.LabelName(p.label)]; !ok {
				return false
			}
		}
	}
	return true
}

func two(a, b series) string {
	return fmt.Sprintf("two series for one target: %s and %s; aggregate the query to one", a.labels, b.labels)
}

func describe(match []pair) string {
	text := ""
	for i, p := range match {
		if i > 0 {
			text += ", "
		}
		text += p.label + "=" + p.field
	}
	return text
}

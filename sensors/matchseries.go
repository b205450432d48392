package sensors

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/prometheus/common/model"

	"github.com/scanflow-k8s/scanflow/engine"
)

// series is one series of a query result, converted to a signal.
type series struct {
	labels model.Metric
	signal engine.Signal
}

// labelMatch assigns a series to a target if the value of the series' label equals the
// target's field.
type labelMatch struct{ label, field string }

func sortedMatches(match map[string]string) []labelMatch {
	var out []labelMatch
	for _, label := range slices.Sorted(maps.Keys(match)) {
		out = append(out, labelMatch{label, match[label]})
	}
	return out
}

// defaultMatch applies if the manifest has no `match` and every series has these labels.
var defaultMatch = []labelMatch{{"namespace", "namespace"}, {"deployment", "name"}}

// appendKey appends the values of the labels by which a series is matched, as indexTargets
// does with the fields of a target.
func (s *series) appendKey(key []byte, match []labelMatch) []byte {
	for _, p := range match {
		key = append(append(key, s.labels[model.LabelName(p.label)]...), 0xff)
	}
	return key
}

// matchSeries assigns each series to its target. A target without a series is Empty; a target
// with two is an Error that names both. It runs in O(targets + series).
func matchSeries(fleet []engine.Target, list []series, match []labelMatch) (engine.Reading, error) {
	out := make(engine.Reading, len(fleet))
	for i := range out {
		out[i].State = engine.Empty
	}
	if len(list) == 0 {
		return out, nil
	}
	if match == nil {
		if !allHaveLabels(list, defaultMatch) {
			return matchAll(out, list)
		}
		match = defaultMatch
	}

	targets, next := indexTargets(fleet, out, match)
	const none, several = -1, -2
	owner := make([]int, len(fleet)) // index in list of the series of each target
	for i := range owner {
		owner[i] = none
	}
	var key []byte
	matched := false
	for s := range list {
		key = list[s].appendKey(key[:0], match)
		first, ok := targets[string(key)]
		for i := first; ok && i >= 0; i = next[i] {
			matched = true
			switch owner[i] {
			case none:
				owner[i], out[i] = s, list[s].signal
			case several:
			default:
				out[i] = engine.Signal{State: engine.Error, Problem: duplicateSeries(list[owner[i]], list[s])}
				owner[i] = several
			}
		}
	}
	if !matched {
		problem := strangers(list, match)
		for i := range out {
			out[i].Problem = problem
		}
	}
	return out, nil
}

// strangers describes series of which none belongs to a target.
func strangers(list []series, match []labelMatch) string {
	return fmt.Sprintf("%d series came, none of a target of this agent; the first is %s, matched by %s", len(list), list[0].labels, describeMatches(match))
}

// indexTargets maps each match key to the first target that has it, and each target to the
// next one with the same key. A target that lacks a field of the match is not indexed.
func indexTargets(fleet []engine.Target, out engine.Reading, match []labelMatch) (map[string]int32, []int32) {
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

// matchAll gives every target the value of the only series. A series with labels belongs to
// one particular target, so it is refused for a fleet of several: if one target's series is
// missing, another's must not be taken for it.
func matchAll(out engine.Reading, list []series) (engine.Reading, error) {
	if len(list) > 1 {
		return nil, errors.New(duplicateSeries(list[0], list[1]) + ", or say by `match` which is whose")
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

func allHaveLabels(list []series, match []labelMatch) bool {
	for _, s := range list {
		for _, p := range match {
			if _, ok := s.labels[model.LabelName(p.label)]; !ok {
				return false
			}
		}
	}
	return true
}

func duplicateSeries(a, b series) string {
	return fmt.Sprintf("two series for one target: %s and %s; aggregate the query to one", a.labels, b.labels)
}

func describeMatches(match []labelMatch) string {
	text := ""
	for i, p := range match {
		if i > 0 {
			text += ", "
		}
		text += p.label + "=" + p.field
	}
	return text
}

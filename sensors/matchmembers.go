package sensors

import (
	"errors"
	"fmt"
	"maps"
	"strconv"

	"github.com/prometheus/common/model"

	"github.com/scanflow-k8s/scanflow/engine"
)

// matchMembers assigns each series to its target, as matchSeries does, and makes one object
// of the series of each: from the value of the label `by` to the number. It runs in
// O(targets + series).
func matchMembers(fleet []engine.Target, list []series, match []labelMatch, by string) (engine.Reading, error) {
	out := make(engine.Reading, len(fleet))
	for i := range out {
		out[i].State = engine.Empty
	}
	if len(list) == 0 {
		return out, nil
	}
	if match == nil {
		if !allHaveLabels(list, defaultMatch) {
			return membersOfAll(out, list, by)
		}
		match = defaultMatch
	}
	targets, next := indexTargets(fleet, out, match)
	groups := map[int32][]series{} // by the first target of their key
	var key []byte
	for s := range list {
		key = list[s].appendKey(key[:0], match)
		if first, ok := targets[string(key)]; ok {
			groups[first] = append(groups[first], list[s])
		}
	}
	for first, group := range groups {
		one := membersSignal(group, by)
		for i := first; i >= 0; i = next[i] {
			out[i] = one
			out[i].Missing = maps.Clone(one.Missing)
		}
	}
	if len(groups) == 0 {
		problem := strangers(list, match)
		for i := range out {
			out[i].Problem = problem
		}
	}
	return out, nil
}

// membersOfAll gives every target the same object. Series with labels beside `by` belong to
// one particular target, so they are refused for a fleet of several.
func membersOfAll(out engine.Reading, list []series, by string) (engine.Reading, error) {
	for _, s := range list {
		labels := s.labels.Clone()
		delete(labels, model.MetricNameLabel)
		delete(labels, model.LabelName(by))
		if len(labels) > 0 && len(out) > 1 {
			return nil, fmt.Errorf("the series %s is not of all %d targets; say by `match` whose it is, or aggregate its labels away", s.labels, len(out))
		}
	}
	one := membersSignal(list, by)
	if one.State == engine.Error && one.Missing == nil {
		return nil, errors.New(one.Problem)
	}
	for i := range out {
		out[i] = one
		out[i].Missing = maps.Clone(one.Missing)
	}
	return out, nil
}

// membersSignal makes one signal of the series of one target. A series without the label, and
// two with the same value of it, are an Error that names them.
func membersSignal(list []series, by string) engine.Signal {
	all := make(members, len(list))
	first := make(map[string]int, len(list))
	for i, s := range list {
		name := string(s.labels[model.LabelName(by)])
		if name == "" {
			return engine.Signal{State: engine.Error, Problem: fmt.Sprintf("the series %s has no label %s, which by names; keep that label in the query, as %s does", s.labels, strconv.Quote(by), aggregationBy(by))}
		}
		if j, twice := first[name]; twice {
			return engine.Signal{State: engine.Error, Problem: fmt.Sprintf("two series for one target with %s=%s: %s and %s; aggregate the query to one", by, strconv.Quote(name), list[j].labels, s.labels)}
		}
		first[name], all[name] = i, s.signal
	}
	return all.signal("the label " + strconv.Quote(by))
}

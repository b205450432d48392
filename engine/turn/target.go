package turn

import (
	"encoding/json"
	"slices"

	"github.com/scanflow-k8s/scanflow/engine"
)

// target is the state of one target: its document, changed in place from turn to turn, and
// the result of the last evaluation of each strategy.
type target struct {
	doc    engine.Document
	last   []lastValue // by sensor
	totals []total     // of the sensors that count, by sensor
	held   []*held     // by sensor, nil for those without sustained

	// reads are the inputs of the strategies of the results, nil before the first evaluation and
	// after a panic.
	reads   *agentReads
	basis   basis
	results []result // by strategy, sorted by name

	// The results of all strategies together.
	proposals []engine.Proposal
	problems  []engine.Problem
	rules     map[string][]string
	// reported is the summary of the decisions that were recorded last.
	reported string
	// rechecked is that of a recheck, which decides on one proposal only.
	rechecked string
}

// result is that of the last evaluation of one strategy.
type result struct {
	proposals []engine.Proposal
	problems  []engine.Problem
	// remembers is set where the rule remember was defined; remembered is its value.
	remembers  bool
	remembered any
}

// changed returns the strategies to evaluate: those that would not read what they read at
// their last evaluation, and those that failed then, since the document does not show whether
// they would succeed now.
func (s *target) changed(r *agentReads, memoryVersion int) []string {
	if s.reads != r {
		s.reads, s.results, s.rules = r, make([]result, len(r.names)), nil
		s.basis.update(&s.doc, memoryVersion)
		return r.names
	}
	c := s.basis.compare(&s.doc, memoryVersion, r)
	var out []string
	for i := range r.strategies {
		if len(s.results[i].problems) > 0 || c.affect(&r.strategies[i], &s.doc, &s.basis) {
			out = append(out, r.names[i])
		}
	}
	s.basis.update(&s.doc, memoryVersion)
	return out
}

// setEvaluation replaces the results of the strategies that ran.
func (s *target) setEvaluation(r *agentReads, ran []string, e engine.Evaluation) {
	for _, name := range ran {
		if i, has := slices.BinarySearch(r.names, name); has {
			s.results[i] = result{}
			delete(s.rules, name)
		}
	}
	for from := 0; from < len(e.Proposals); {
		strategy, to := e.Proposals[from].Strategy, from+1
		for to < len(e.Proposals) && e.Proposals[to].Strategy == strategy {
			to++
		}
		if i, has := slices.BinarySearch(r.names, strategy); has {
			s.results[i].proposals = e.Proposals[from:to:to]
		}
		from = to
	}
	for _, p := range e.Problems {
		if i, has := slices.BinarySearch(r.names, p.Strategy); has {
			s.results[i].problems = append(s.results[i].problems, p)
		}
	}
	for name, value := range e.Remembered {
		if i, has := slices.BinarySearch(r.names, name); has {
			s.results[i].remembers, s.results[i].remembered = true, value
		}
	}
	for name, titles := range e.Rules {
		if s.rules == nil {
			s.rules = map[string][]string{}
		}
		s.rules[name] = titles
	}
	s.proposals, s.problems = nil, nil
	for i := range s.results {
		s.proposals = append(s.proposals, s.results[i].proposals...)
		s.problems = append(s.problems, s.results[i].problems...)
	}
}

// documents returns the newest documents as JSON, of the first targets by name.
func documents(targets []*target, most int) []json.RawMessage {
	targets = slices.DeleteFunc(slices.Clone(targets), func(s *target) bool { return s.doc.Now.IsZero() })
	slices.SortFunc(targets, func(x, y *target) int { return compareIDs(x.doc.Target.ID(), y.doc.Target.ID()) })
	var out []json.RawMessage
	for _, s := range targets[:min(len(targets), most)] {
		if raw, err := json.Marshal(&s.doc); err == nil { // a decision on it reports the error
			out = append(out, raw)
		}
	}
	return out
}

func compareIDs(a, b engine.TargetID) int {
	switch {
	case a == b:
		return 0
	case a.Less(b):
		return -1
	}
	return 1
}

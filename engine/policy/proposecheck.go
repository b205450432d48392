package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy/spelling"
)

// checkPropose checks one `propose` rule: its form, what its text tells about the proposal,
// and that `because` names every signal that the rule reads.
func (r *Revision) checkPropose(rule *ast.Rule, read *reads) mistake.Mistakes {
	if !isSetRule(rule) {
		return mistake.Mistakes{at(rule.Location, "propose must be a set of proposals", "write it as `propose contains proposal if {...}`")}
	}
	proposal, ok := r.proposal(rule)
	if !ok {
		return mistake.Mistakes{at(rule.Location, "propose must give an object written in this rule", `write it as {"primitive": ..., "with": ..., "reason": ..., "because": [...]}, in the head or assigned to a variable in the body`)}
	}
	s := proposalReader{anyAgent: true}
	named := map[string]bool{}
	for _, e := range s.read(proposal).Because {
		named[e.Signal] = true
	}
	out := placed(s.problems, rule)
	if because := field(proposal, becauseKey); because == nil || jsonType(because.Value) != "array" {
		return out // the names are not known
	}
	if read.anySignal != nil {
		out = append(out, at(rule.Location,
			fmt.Sprintf("propose reads signals whose names the text doesn't tell (%s:%d)", read.anySignal.File, read.anySignal.Row),
			"read each signal by its name, as input.signals.load.value, and name it in because"))
	}
	for _, name := range slices.Sorted(maps.Keys(read.signals)) {
		if !named[name] {
			where := read.signals[name]
			out = append(out, at(rule.Location,
				fmt.Sprintf("propose reads signal %q (%s:%d), which its because doesn't name", name, where.File, where.Row),
				unnamedFix(name, named, read)))
		}
	}
	return out
}

// unnamedFix returns the fix for a signal that is read and that because does not name.
func unnamedFix(name string, named map[string]bool, read *reads) string {
	var unread []string // most likely one of them is this signal, misspelt
	for other := range named {
		if _, is := read.signals[other]; !is {
			unread = append(unread, other)
		}
	}
	slices.Sort(unread)
	if near := spelling.Nearest(name, unread); near != "" {
		return fmt.Sprintf("write %q in because, not %q", name, near)
	}
	return fmt.Sprintf("add %q to because, or %q if it means to act on its absence", name, name+":empty")
}

// placed returns the problems of a rule's proposal as mistakes, each at its place.
func placed(problems []proposalProblem, rule *ast.Rule) mistake.Mistakes {
	var out mistake.Mistakes
	for _, p := range problems {
		fix := p.fix
		if p.near != "" {
			fix = fmt.Sprintf("did you mean %s? %s", p.near, upperFirst(fix))
		}
		out = append(out, at(locationOf(&ast.Term{Location: p.at}, rule), p.text, fix))
	}
	return out
}

// locationOf returns the place of a term, or that of its rule where the compiler has made the term.
func locationOf(t *ast.Term, rule *ast.Rule) *ast.Location {
	if t.Location != nil && t.Location.File != "" {
		return t.Location
	}
	return rule.Location
}

func upperFirst(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// proposal returns what the text of a `propose` rule tells about the object that it
// produces, as known has it. It returns false if the rule has another form, or the object is not known
// to have a because.
func (r *Revision) proposal(rule *ast.Rule) (*ast.Term, bool) {
	t := r.proposals[rule]
	return t, t != nil
}

// findProposal fills in proposal for a rule. left is the number of terms that may still be visited.
func (r *Revision) findProposal(rule *ast.Rule, left *int) {
	if !isSetRule(rule) { // Draft keeps invalid rules, to report on the others
		return
	}
	most := max(leastKnown, min(maxKnown, *left))
	own := most
	t := knownWithin(r.compiler, rule, 0, &own).term(rule.Head.Key)
	*left -= most - max(own, 0)
	if object, ok := t.Value.(ast.Object); ok && (!isOpen(object) || object.Get(becauseKey) != nil) {
		r.proposals[rule] = t
	}
}

var becauseKey = ast.InternedTerm("because")

// CheckEvidence returns a mistake for each signal that the `because` of a strategy's rule
// names as a literal, that the rule does not read, and that an agent with these signals does
// not have. A rule that reads the signal may be written for agents with and without it;
// CheckAgainst judges what it reads.
func (r *Revision) CheckEvidence(signals, strategies []string) []mistake.Mistake {
	var out mistake.Mistakes
	t := newTracer(r.compiler)
	for _, name := range strategies {
		s := r.strategies[name]
		if s == nil {
			continue
		}
		for _, rule := range s.rules {
			proposal, ok := r.proposal(rule)
			if !ok {
				continue
			}
			read := t.readsOf(rule, nil, nil).signals
			_, problems := readProposal(proposal, signals)
			out = append(out, placed(slices.DeleteFunc(problems, func(p proposalProblem) bool {
				_, reads := read[p.signal]
				return p.signal == "" || reads
			}), rule)...)
		}
	}
	return sorted(out)
}

// parseEvidence parses "load" or "load:empty".
func parseEvidence(s string) (engine.Evidence, error) {
	name, state, has := strings.Cut(s, ":")
	if name == "" {
		return engine.Evidence{}, fmt.Errorf("%q names no signal", s)
	}
	if !has {
		return engine.Evidence{Signal: name, State: engine.OK}, nil
	}
	if !slices.Contains(engine.States, engine.State(state)) {
		return engine.Evidence{}, fmt.Errorf("%q: there is no state %q; the states are %s", s, state, stateNames())
	}
	return engine.Evidence{Signal: name, State: engine.State(state)}, nil
}

func stateNames() string {
	names := make([]string, len(engine.States))
	for i, s := range engine.States {
		names[i] = string(s)
	}
	return strings.Join(names, ", ")
}

package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy/bounded"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

// rememberRule is the name of a strategy's rule whose value is kept for its next evaluation.
const rememberRule = "remember"

// remembers reports whether a rule is the rule remember of a strategy.
func remembers(m *ast.Module, rule *ast.Rule) bool {
	return slices.Contains(entrypointsOf(m), proposeRule) && ruleName(rule) == rememberRule
}

// checkRemember checks the form of one rule remember.
func checkRemember(rule *ast.Rule) mistake.Mistakes {
	if len(rule.Head.Ref()) == 1 && len(rule.Head.Args) == 0 && rule.Head.DocKind() == ast.CompleteDoc {
		return nil
	}
	return mistake.Mistakes{at(rule.Location, "remember must have one value", "write it as `remember := value if {...}`; the value may be an object")}
}

// unreadRemember warns about rules remember whose value no guard, no other strategy and no
// propose rule of the strategy itself reads.
func (r *Revision) unreadRemember(guards *reads) {
	for _, name := range slices.Sorted(maps.Keys(r.strategies)) {
		s := r.strategies[name]
		read := guards.remembered.Union(s.proposing.remembered)
		for _, other := range r.strategies {
			if other != s {
				read = read.Union(other.reads.remembered)
			}
		}
		if len(s.remember) == 0 || read.All || slices.Contains(read.Names, name) || strings.HasPrefix(s.remember[0].Location.File, source.ShippedLabel) {
			continue
		}
		r.unused = append(r.unused, at(s.remember[0].Location, "nothing reads what "+name+" remembers", fmt.Sprintf("read it as input.memory[%q].remembered, or take the rule out", name)))
	}
}

// neverRemembered warns about what strategies read of the memory of a strategy that has no
// rule remember.
func (r *Revision) neverRemembered() {
	for _, name := range slices.Sorted(maps.Keys(r.strategies)) {
		s := r.strategies[name]
		if len(s.rules) == 0 || strings.HasPrefix(s.rules[0].Location.File, source.ShippedLabel) {
			continue
		}
		for _, of := range s.reads.rememberedAlone.Names {
			if other := r.strategies[of]; other != nil && len(other.remember) == 0 {
				r.unused = append(r.unused, at(s.rules[0].Location, fmt.Sprintf("strategy %s reads input.memory[%q].remembered, and %s has no rule remember", name, of, of), "write `remember := VALUE if {...}` in its package, or read its note or another strategy"))
			}
		}
	}
}

// readRemembered converts the value of a rule remember, and returns its mistakes.
func readRemembered(v ast.Value) (any, []string) {
	if !bounded.Within(v, MaxProposal) {
		return nil, []string{fmt.Sprintf("remember is larger than %d bytes when it is written out, parts that it holds several times counted each time; remember less", MaxProposal)}
	}
	var s proposalReader
	value := s.json(rememberRule, ast.NewTerm(v))
	if len(s.problems) > 0 {
		return nil, []string{joinClipped(shownProblems(s.problems))}
	}
	return value, nil
}

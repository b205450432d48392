package policy

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine"
)

// scope has the agents and verbs that a rule of a guard binds, as its METADATA says: `custom: {agents: [...],
// verbs: [...]}`. A list that is nil binds all.
type scope struct {
	agents, verbs []string
	place         *ast.Location // of the METADATA, nil where it has neither
}

// scopeKeys are the keys of a scope in `custom`.
var scopeKeys = []string{"agents", "verbs"}

// scopeOf reads the scope of a rule. Of each list, the annotation that is nearest to the
// rule counts. checkScopes reports what is malformed.
func scopeOf(annotations ast.AnnotationsRefSet) scope {
	var s scope
	for _, a := range annotations { // the nearest first
		if a.Annotations == nil {
			continue
		}
		for _, list := range []struct {
			key  string
			into *[]string
		}{{"agents", &s.agents}, {"verbs", &s.verbs}} {
			raw, there := a.Annotations.Custom[list.key]
			if !there || *list.into != nil {
				continue
			}
			*list.into = []string{}
			values, _ := raw.([]any)
			for _, v := range values {
				if text, is := v.(string); is {
					*list.into = append(*list.into, text)
				}
			}
			if s.place == nil {
				s.place = a.Annotations.Location
			}
		}
	}
	return s
}

// binds reports whether the rule binds a verb of an agent, as namespace/name. A name or verb
// that is not known is bound.
func (s *scope) binds(agent, verb string) bool {
	return (verb == "" || s.verbs == nil || slices.Contains(s.verbs, verb)) && s.bindsAgent(agent)
}

func (s *scope) bindsAgent(agent string) bool {
	return agent == "" || s.agents == nil || slices.ContainsFunc(s.agents, func(pattern string) bool { return MatchesAgent(pattern, agent) })
}

// MatchesAgent reports whether a pattern of METADATA matches an agent, as namespace/name. A
// pattern without a namespace matches in all of them, and * stands for any part of a name.
func MatchesAgent(pattern, agent string) bool {
	namespace, name, _ := strings.Cut(agent, "/")
	in, of, has := strings.Cut(pattern, "/")
	if !has {
		return matchesSegment(pattern, name)
	}
	return matchesSegment(in, namespace) && matchesSegment(of, name)
}

func matchesSegment(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	rest, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(rest, part)
		if !found {
			return false
		}
		rest = after
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

// binding holds the guards that bind a proposal.
type binding struct {
	guards []string // names, sorted
	rules  []*guardRule
	// unbound are the places of rules of these guards that don't bind.
	unbound []string
}

// binding returns which guards bind a proposal, and which of their rules.
func (r *Revision) binding(p engine.Proposal) binding { return r.bindingOf(p.Agent, p.Primitive) }

func (r *Revision) bindingOf(agent, verb string) binding {
	var b binding
	var apart []*guardRule
	for i := range r.guardRules {
		rule := &r.guardRules[i]
		if !rule.scope.binds(agent, verb) {
			apart = append(apart, rule)
			continue
		}
		b.rules = append(b.rules, rule)
		if !slices.Contains(b.guards, rule.guard) {
			b.guards = append(b.guards, rule.guard)
		}
	}
	slices.Sort(b.guards)
	for _, rule := range apart {
		if slices.Contains(b.guards, rule.guard) {
			b.unbound = append(b.unbound, rule.place)
		}
	}
	return b
}

// bindings returns the bindings that are likely asked for: that of each verb that a guard
// names, and that of another verb.
func (r *Revision) bindings() []binding {
	verbs := []string{"another verb"}
	for i := range r.guardRules {
		verbs = append(verbs, r.guardRules[i].scope.verbs...)
	}
	slices.Sort(verbs)
	var out []binding
	for _, verb := range slices.Compact(verbs) {
		out = append(out, r.bindingOf("", verb))
	}
	return out
}

// Bound is an agent as guards see it. The zero value is bound by all of them.
type Bound struct {
	Agent string   // namespace/name
	Verbs []string // those that it may use
}

// guardRulesFor returns the rules of guards that may bind proposals of an agent.
func (r *Revision) guardRulesFor(of Bound) []*guardRule {
	var out []*guardRule
	for i := range r.guardRules {
		s := &r.guardRules[i].scope
		uses := of.Verbs == nil || s.verbs == nil || slices.ContainsFunc(s.verbs, func(v string) bool { return slices.Contains(of.Verbs, v) })
		if uses && s.bindsAgent(of.Agent) {
			out = append(out, &r.guardRules[i])
		}
	}
	return out
}

// GuardsFor returns the names of the guards that may bind proposals of an agent, sorted.
func (r *Revision) GuardsFor(of Bound) []string {
	var out []string
	for _, rule := range r.guardRulesFor(of) {
		out = append(out, rule.guard)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (r *Revision) guardNamed(name string) guard {
	for _, g := range r.guards {
		if g.name == name {
			return g
		}
	}
	return guard{}
}

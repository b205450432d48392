package policy

import (
	"fmt"
	"slices"
	"strings"
)

// GuardInfo names a guard, its origin, and what it binds.
type GuardInfo struct {
	Name string // its package, without "scanflow.guards."
	// From is Shipped, or the folder, bundle or URL that contains it.
	From string
	// Agents and Verbs are those that its METADATA names; nil where it binds all.
	Agents, Verbs []string
}

// GuardInfos returns the guards, sorted by name.
func (r *Revision) GuardInfos() []GuardInfo {
	out := make([]GuardInfo, len(r.guards))
	for i, g := range r.guards {
		out[i] = GuardInfo{Name: g.name, From: g.from}
		var scopes []scope
		for _, rule := range r.guardRules {
			if rule.guard == g.name {
				scopes = append(scopes, rule.scope)
			}
		}
		out[i].Agents = unite(scopes, func(s scope) []string { return s.agents })
		out[i].Verbs = unite(scopes, func(s scope) []string { return s.verbs })
	}
	return out
}

// unite returns the names in the lists of several rules, nil where one of them names none.
func unite(scopes []scope, of func(scope) []string) []string {
	var out []string
	for _, s := range scopes {
		if of(s) == nil {
			return nil
		}
		out = append(out, of(s)...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// FormatGuards formats guards with their origins and scopes as one line.
func FormatGuards(guards []GuardInfo) string {
	if len(guards) == 0 {
		return "none"
	}
	out := make([]string, len(guards))
	for i, g := range guards {
		text := g.From
		if g.Verbs != nil {
			text += "; verbs: " + strings.Join(g.Verbs, ", ")
		}
		if g.Agents != nil {
			text += "; agents: " + strings.Join(g.Agents, ", ")
		}
		out[i] = fmt.Sprintf("%s (%s)", g.Name, text)
	}
	return strings.Join(out, ", ")
}

package policy

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// ScopeName is an agent or a verb that the METADATA of a guard names.
type ScopeName struct {
	Guard, Name string
	File        string
	Line        int
	Column      int
}

// ScopeNames returns the agents and the verbs that the METADATA of guards name, each once a
// place.
func (r *Revision) ScopeNames() (agents, verbs []ScopeName) {
	add := func(into *[]ScopeName, rule *guardRule, names []string) {
		for _, name := range names {
			n := ScopeName{rule.guard, name, rule.scope.place.File, rule.scope.place.Row, rule.scope.place.Col}
			if !slices.Contains(*into, n) {
				*into = append(*into, n)
			}
		}
	}
	for i := range r.guardRules {
		rule := &r.guardRules[i]
		add(&agents, rule, rule.scope.agents)
		add(&verbs, rule, rule.scope.verbs)
	}
	return agents, verbs
}

// agentPattern is NAMESPACE/NAME or NAME, each of lower case letters, digits, -, . and *.
var agentPattern = regexp.MustCompile(`^([a-z0-9*]([a-z0-9.*-]*[a-z0-9*])?/)?[a-z0-9*]([a-z0-9.*-]*[a-z0-9*])?$`)

// misspeltScopeKeys are keys that are taken for those of a scope.
var misspeltScopeKeys = map[string]string{
	"agent": "agents", "verb": "verbs", "primitive": "verbs", "primitives": "verbs", "state": "states",
	"Agents": "agents", "Verbs": "verbs", "States": "states",
}

// checkScopes checks the scopes in the METADATA of a guard's file.
func checkScopes(m *ast.Module) mistake.Mistakes {
	out := misspeltMetadata(m)
	for _, a := range m.Annotations {
		add := func(message, fix string) { out = append(out, at(a.Location, message, fix)) }
		for _, key := range slices.Sorted(maps.Keys(a.Custom)) {
			if meant := scopeKey(key); meant != "" && meant != key {
				add(fmt.Sprintf("METADATA has custom.%s, which has no effect", key), "did you mean "+meant+"?")
			}
		}
		for _, key := range scopeKeys {
			raw, there := a.Custom[key]
			if !there {
				continue
			}
			form := "write it as `custom: {agents: [\"mlperf/planner\", \"mlperf/*\", planner]}`"
			if key == "verbs" {
				form = "write it as `custom: {verbs: [scale, restart]}`"
			}
			if target := a.GetTargetPath(); len(target) > 0 && (a.Scope == "rule" || a.Scope == "document") && !lastPartIs(target, denyRule) && !lastPartIs(target, clampRule) {
				name := strings.TrimPrefix(target.String(), m.Package.Path.String()+".")
				add(fmt.Sprintf("%s in the METADATA of %s has no effect", key, name), "write it above a deny or clamp rule, or above the package")
				continue
			}
			list, is := raw.([]any)
			if !is {
				add(key+" in METADATA must be a list", form)
				continue
			}
			if len(list) == 0 {
				add(key+" in METADATA is empty, so that the guard binds nobody", "name some, or leave it out to bind all")
			}
			seen := map[string]bool{}
			for _, v := range list {
				name, is := v.(string)
				switch {
				case !is || strings.TrimSpace(name) == "":
					add(fmt.Sprintf("%s in METADATA holds %v, which is no name", key, v), form)
				case key == "agents" && !agentPattern.MatchString(name):
					add(fmt.Sprintf("METADATA names agent %q", name), "it is NAMESPACE/NAME or NAME, in lower case, with * for any part of either")
				case seen[name]:
					add(fmt.Sprintf("%s in METADATA holds %s twice", key, name), "take one out")
				}
				seen[name] = true
			}
		}
	}
	return out
}

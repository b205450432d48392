package rbac

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Rule is a rule of a Role, with the JSON fields of a PolicyRule.
type Rule struct {
	Groups    []string `json:"apiGroups"`
	Resources []string `json:"resources"`
	Names     []string `json:"resourceNames,omitempty"`
	Verbs     []string `json:"verbs"`
	// For has the comment lines: which agent needs the rule for what.
	For []string `json:"-"`
}

// scope selects the objects of a grant. Namespace "" is the whole cluster, name "" all objects.
type scope struct{ namespace, group, resource, name string }

// grant has the verbs, each with what it is for.
type grant map[string]map[string]bool

// rulesOf merges needs into the fewest rules, by namespace; "" is the whole cluster. It drops
// what a wider rule grants.
func rulesOf(needs []need) map[string][]Rule {
	grants := map[scope]grant{}
	for _, n := range needs {
		t := scope{n.Namespace, n.Group, n.Resource, n.name}
		if grants[t] == nil {
			grants[t] = grant{}
		}
		for _, verb := range n.Verbs {
			if grants[t][verb] == nil {
				grants[t][verb] = map[string]bool{}
			}
			grants[t][verb][n.why] = true
		}
	}
	for _, t := range slices.SortedFunc(maps.Keys(grants), compareScopes) {
		for _, wider := range []scope{{t.namespace, t.group, t.resource, ""}, {"", t.group, t.resource, t.name}, {"", t.group, t.resource, ""}} {
			if wider != t {
				dropCovered(grants, t, wider)
			}
		}
	}
	out := map[string][]Rule{}
	for _, t := range slices.SortedFunc(maps.Keys(grants), compareScopes) {
		if len(grants[t]) > 0 {
			out[t.namespace] = merge(out[t.namespace], t, grants[t])
		}
	}
	return out
}

// dropCovered deletes the verbs of a scope that are granted on a wider one, and moves their
// reasons there.
func dropCovered(grants map[scope]grant, t, wider scope) {
	for verb, why := range grants[t] {
		if has := grants[wider][verb]; has != nil {
			maps.Copy(has, why)
			delete(grants[t], verb)
		}
	}
}

// merge adds a grant to the rules: to a rule that differs only in the resource, if there is
// one, or as a new rule.
func merge(rules []Rule, t scope, g grant) []Rule {
	r := Rule{Groups: []string{t.group}, Resources: []string{t.resource}, Verbs: verbsOf(g), For: whyOf(g)}
	if t.name != "" {
		r.Names = []string{t.name}
	}
	for i, have := range rules {
		if slices.Equal(have.Groups, r.Groups) && slices.Equal(have.Names, r.Names) && slices.Equal(have.Verbs, r.Verbs) && slices.Equal(have.For, r.For) {
			rules[i].Resources = append(rules[i].Resources, t.resource)
			return rules
		}
	}
	return append(rules, r)
}

// verbOrder is the usual order of verbs: reads, then writes.
var verbOrder = []string{"get", "list", "watch", "create", "update", "patch", "delete"}

func verbsOf(g grant) []string {
	return slices.SortedFunc(maps.Keys(g), func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a, b))
	})
}

func rank(verb string) int {
	if i := slices.Index(verbOrder, verb); i >= 0 {
		return i
	}
	return len(verbOrder)
}

func whyOf(g grant) []string {
	all := map[string]bool{}
	for _, why := range g {
		maps.Copy(all, why)
	}
	return slices.Sorted(maps.Keys(all))
}

func compareScopes(a, b scope) int {
	return cmp.Or(strings.Compare(a.namespace, b.namespace), strings.Compare(a.group, b.group), strings.Compare(a.resource, b.resource), strings.Compare(a.name, b.name))
}

package rbac

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Rule is one rule of a Role, in the fields of Kubernetes' own.
type Rule struct {
	Groups    []string `json:"apiGroups"`
	Resources []string `json:"resources"`
	Names     []string `json:"resourceNames,omitempty"`
	Verbs     []string `json:"verbs"`
	// For says which agents need it for what, one a line of a comment.
	For []string `json:"-"`
}

// thing is what verbs are granted on.
type thing struct{ namespace, group, resource, name string }

// grant is the verbs, each with what it is for.
type grant map[string]map[string]bool

// rulesOf merges needs into as few rules as say the same, by namespace; "" is the
// whole cluster. What the whole cluster grants is left out of the namespaces.
func rulesOf(needs []need) map[string][]Rule {
	grants := map[thing]grant{}
	for _, n := range needs {
		t := thing{n.Namespace, n.Group, n.Resource, n.name}
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
	for _, t := range slices.SortedFunc(maps.Keys(grants), compareThings) {
		for _, wider := range []thing{{t.namespace, t.group, t.resource, ""}, {"", t.group, t.resource, t.name}, {"", t.group, t.resource, ""}} {
			if wider != t {
				yield(grants, t, wider)
			}
		}
	}
	out := map[string][]Rule{}
	for _, t := range slices.SortedFunc(maps.Keys(grants), compareThings) {
		if len(grants[t]) > 0 {
			out[t.namespace] = merge(out[t.namespace], t, grants[t])
		}
	}
	return out
}

// yield gives up the verbs of a thing that are granted on a wider one. The wider one
// tells what they are for, too.
func yield(grants map[thing]grant, t, wider thing) {
	for verb, why := range grants[t] {
		if has := grants[wider][verb]; has != nil {
			maps.Copy(has, why)
			delete(grants[t], verb)
		}
	}
}

// merge adds a grant to the rules, into one that differs in the resource alone if
// there is one.
func merge(rules []Rule, t thing, g grant) []Rule {
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

// verbOrder is how people write verbs: what reads, then what writes.
var verbOrder = []string{"get", "list", "watch", "create", "update", "patch", "delete"}

func verbsOf(g grant) []string {
	return slices.SortedFunc(maps.Keys(g), func(a, b string) int {
		return cmp.Or(cmp.Compare(place(a), place(b)), strings.Compare(a, b))
	})
}

func place(verb string) int {
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

func compareThings(a, b thing) int {
	return cmp.Or(strings.Compare(a.namespace, b.namespace), strings.Compare(a.group, b.group), strings.Compare(a.resource, b.resource), strings.Compare(a.name, b.name))
}

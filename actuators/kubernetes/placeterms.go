package kubernetes

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

const (
	hard = "requiredDuringSchedulingIgnoredDuringExecution"
	soft = "preferredDuringSchedulingIgnoredDuringExecution"
	// softWeight is the weight of a preferred term: the maximum.
	softWeight = int64(100)
)

// placement collects the edits to a pod's specification. The API server treats each list of
// terms, and the node selector, as one value.
type placement struct {
	spec  map[string]any // current
	held  map[string]any // the part that the verb has applied
	edits []placeEdit
}

// placeEdit is a field of a pod's specification with its new value.
type placeEdit struct {
	path  []string
	value any // a list of terms, or the node selector
	words string
}

func (e placeEdit) empty() bool {
	switch v := e.value.(type) {
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// affinityOf is a kind of affinity and its words in a diff.
type affinityOf struct {
	field, words string
	near         *verbparams.Near
}

func affinitiesOf(p verbparams.Placement) []affinityOf {
	out := []affinityOf{{"podAntiAffinity", "away from", p.AntiAffinity}, {"podAffinity", "near to", p.Affinity}}
	return slices.DeleteFunc(out, func(a affinityOf) bool { return a.near == nil })
}

// add adds missing terms and keeps all others. A term of ours that changes between required
// and preferred is moved.
func (n *placement) add(p verbparams.Placement) {
	for _, a := range affinitiesOf(p) {
		into, other := hard, soft
		if !a.near.Required {
			into, other = soft, hard
		}
		path := []string{"affinity", a.field, into}
		list := listAt(n.spec, path)
		if !slices.ContainsFunc(list, isTerm(into, a.near)) {
			words := "pods " + a.words + " " + a.near.Words(into == hard)
			if len(list) > 0 {
				words += fmt.Sprintf(" (beside %d terms that are there)", len(list))
			}
			n.edits = append(n.edits, placeEdit{path, append(slices.Clone(list), termOf(into, a.near)), words})
		}
		n.withdraw(a, other)
	}
	selector, _, _ := unstructured.NestedMap(n.spec, "nodeSelector")
	if selector == nil {
		selector = map[string]any{}
	}
	var words []string
	for _, label := range slices.Sorted(maps.Keys(p.NodeSelector)) {
		if was, is := selector[label], p.NodeSelector[label]; was != any(is) {
			selector[label] = is
			words = append(words, label+"="+is+wasWords(was))
		}
	}
	if len(words) > 0 {
		n.edits = append(n.edits, placeEdit{[]string{"nodeSelector"}, selector, "nodes with " + strings.Join(words, ", ")})
	}
}

func wasWords(was any) string {
	if was == nil {
		return ""
	}
	return fmt.Sprintf(" (was %v)", was)
}

// withdraw removes a term of ours from a list, and reports whether it was there.
func (n *placement) withdraw(a affinityOf, from string) bool {
	path := []string{"affinity", a.field, from}
	list := listAt(n.spec, path)
	if listAt(n.held, path) == nil || !slices.ContainsFunc(list, isTerm(from, a.near)) {
		return false
	}
	rest := slices.DeleteFunc(slices.Clone(list), isTerm(from, a.near))
	n.edits = append(n.edits, placeEdit{path, rest, "pods no longer " + a.words + " " + a.near.Words(from == hard)})
	return true
}

// remove removes the given terms. It fails where another manager applied one of them.
func (n *placement) remove(o *object, at []string, p verbparams.Placement) error {
	for _, a := range affinitiesOf(p) {
		for _, list := range []string{hard, soft} {
			path := []string{"affinity", a.field, list}
			if !n.withdraw(a, list) && slices.ContainsFunc(listAt(n.spec, path), isTerm(list, a.near)) {
				return notOurs(o, at, path)
			}
		}
	}
	selector, _, _ := unstructured.NestedMap(n.spec, "nodeSelector")
	var words []string
	for _, label := range slices.Sorted(maps.Keys(p.NodeSelector)) {
		if selector[label] != any(p.NodeSelector[label]) {
			continue
		}
		if n.held["nodeSelector"] == nil {
			return notOurs(o, at, []string{"nodeSelector"})
		}
		delete(selector, label)
		words = append(words, label+"="+p.NodeSelector[label])
	}
	if len(words) > 0 {
		n.edits = append(n.edits, placeEdit{[]string{"nodeSelector"}, selector, "nodes no longer with " + strings.Join(words, ", ")})
	}
	for _, e := range n.edits { // a field that we give up stays if another manager owns it, too
		if e.empty() && len(otherManagers(o, at, e.path)) > 0 {
			return notOurs(o, at, e.path)
		}
	}
	return nil
}

func otherManagers(o *object, at, path []string) []string {
	var out []string
	for _, w := range managersAt(o, fieldpath.Names(slices.Concat(at, path)...)) {
		if w.Manager != managerOf("place") {
			out = append(out, w.String())
		}
	}
	return out
}

func notOurs(o *object, at, path []string) error {
	return &OwnedError{Field: strings.Join(slices.Concat(at, path), "."), Owner: strings.Join(otherManagers(o, at, path), " and "), Fix: "take it away where it was written"}
}

func listAt(spec map[string]any, path []string) []any {
	list, _, _ := unstructured.NestedSlice(spec, path...)
	return list
}

func termOf(list string, n *verbparams.Near) map[string]any {
	labels := map[string]any{}
	for k, v := range n.MatchLabels {
		labels[k] = v
	}
	term := map[string]any{"labelSelector": map[string]any{"matchLabels": labels}, "topologyKey": n.TopologyKey}
	if len(n.Namespaces) > 0 {
		names := []any{}
		for _, ns := range n.Namespaces {
			names = append(names, ns)
		}
		term["namespaces"] = names
	}
	if list == soft {
		return map[string]any{"weight": softWeight, "podAffinityTerm": term}
	}
	return term
}

func isTerm(list string, n *verbparams.Near) func(any) bool {
	want := termOf(list, n)
	return func(term any) bool { return same(term, want) }
}

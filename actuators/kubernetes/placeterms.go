package kubernetes

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
)

const (
	hard = "requiredDuringSchedulingIgnoredDuringExecution"
	soft = "preferredDuringSchedulingIgnoredDuringExecution"
	// softWeight is that of a term that is only preferred: the highest there is.
	softWeight = int64(100)
)

// placing is a pod's specification on its way to another placement. The API server
// takes each list of terms, and the node selector, as one value.
type placing struct {
	spec  map[string]any // as it is
	held  map[string]any // the part of it that is ours
	edits []placeEdit
}

// placeEdit is one field of a pod's specification with its new value.
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

// affinityOf is a kind of affinity, and how a diff says it.
type affinityOf struct {
	field, words string
	near         *verbparams.Near
}

func affinitiesOf(p verbparams.Placement) []affinityOf {
	out := []affinityOf{{"podAntiAffinity", "away from", p.AntiAffinity}, {"podAffinity", "near to", p.Affinity}}
	return slices.DeleteFunc(out, func(a affinityOf) bool { return a.near == nil })
}

// add keeps everybody's terms and adds those that are missing. A term of ours that
// was required and is to be preferred, or the other way round, is moved.
func (n *placing) add(p verbparams.Placement) {
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

// withdraw takes a term of ours out of a list; false if it is not there.
func (n *placing) withdraw(a affinityOf, from string) bool {
	path := []string{"affinity", a.field, from}
	list := listAt(n.spec, path)
	if listAt(n.held, path) == nil || !slices.ContainsFunc(list, isTerm(from, a.near)) {
		return false
	}
	rest := slices.DeleteFunc(slices.Clone(list), isTerm(from, a.near))
	n.edits = append(n.edits, placeEdit{path, rest, "pods no longer " + a.words + " " + a.near.Words(from == hard)})
	return true
}

// remove takes away what is named and ours. What somebody else put there is theirs
// to take away.
func (n *placing) remove(o *object, at []string, p verbparams.Placement) error {
	for _, a := range affinitiesOf(p) {
		for _, list := range []string{hard, soft} {
			path := []string{"affinity", a.field, list}
			if !n.withdraw(a, list) && slices.ContainsFunc(listAt(n.spec, path), isTerm(list, a.near)) {
				return theirs(o, at, path)
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
			return theirs(o, at, []string{"nodeSelector"})
		}
		delete(selector, label)
		words = append(words, label+"="+p.NodeSelector[label])
	}
	if len(words) > 0 {
		n.edits = append(n.edits, placeEdit{[]string{"nodeSelector"}, selector, "nodes no longer with " + strings.Join(words, ", ")})
	}
	for _, e := range n.edits { // what is given up stays, if somebody else wrote the same
		if e.empty() && len(others(o, at, e.path)) > 0 {
			return theirs(o, at, e.path)
		}
	}
	return nil
}

func others(o *object, at, path []string) []string {
	steps := []any{}
	for _, step := range append(slices.Clone(at), path...) {
		steps = append(steps, step)
	}
	var out []string
	for _, w := range writersAt(o, steps) {
		if w.Manager != managerOf("place") {
			out = append(out, w.String())
		}
	}
	return out
}

func theirs(o *object, at, path []string) error {
	return &OwnedError{Field: strings.Join(append(slices.Clone(at), path...), "."), Owner: andList(others(o, at, path)), Fix: "take it away where it was written"}
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

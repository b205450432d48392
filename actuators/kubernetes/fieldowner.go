package kubernetes

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	managedfields "sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/clusterview"
)

// writersAt are the managers that own a field of an object, or anything below it.
// Where none does, they are those that own a list or map around it as a whole.
// It tells the items of a list apart, where the API server does.
func writersAt(o *object, path []any) []clusterview.FieldManager {
	var itself, around []clusterview.FieldManager
	for _, e := range o.GetManagedFields() {
		set := setOf(e)
		if set == nil {
			continue
		}
		w := clusterview.FieldManager{Manager: e.Manager, Operation: string(e.Operation), Subresource: e.Subresource}
		if e.Time != nil {
			w.Time = e.Time.Time
		}
		switch ownsAt(set, o.Object, path) {
		case ownsIt:
			itself = append(itself, w)
		case ownsAround:
			around = append(around, w)
		}
	}
	if len(itself) > 0 { // nobody owns as a whole what somebody owns a part of
		return itself
	}
	return around
}

// setOf is the fields of one manager; nil where they can't be read.
func setOf(e metav1.ManagedFieldsEntry) *managedfields.Set {
	if e.FieldsV1 == nil {
		return nil
	}
	set := &managedfields.Set{}
	if err := set.FromJSON(e.FieldsV1.GetRawReader()); err != nil {
		return nil
	}
	return set
}

type ownership int

const (
	ownsNot ownership = iota
	ownsIt
	ownsAround
)

// ownsAt follows a path of names (string) and places in lists (int) through the
// value, since managedFields name an item of a list by its keys.
func ownsAt(set *managedfields.Set, value any, path []any) ownership {
	element, next, ok := elementOf(set, value, path[0])
	if !ok {
		return ownsNot
	}
	below, isBelow := set.Children.Get(element)
	switch last := len(path) == 1; {
	case last && (set.Members.Has(element) || isBelow && !below.Empty()):
		return ownsIt
	case last:
		return ownsNot
	case isBelow:
		return ownsAt(below, next, path[1:])
	case set.Members.Has(element):
		return ownsAround
	}
	return ownsNot
}

// elementOf is how managedFields call a step of a path, and the value there.
func elementOf(set *managedfields.Set, value any, step any) (element managedfields.PathElement, next any, ok bool) {
	switch at := step.(type) {
	case string:
		m, _ := value.(map[string]any)
		return managedfields.PathElement{FieldName: &at}, m[at], true
	case int:
		list, _ := value.([]any)
		if at >= len(list) {
			return element, nil, false
		}
		for e := range elementsOf(set) {
			if isItem(e, list[at]) {
				return e, list[at], true
			}
		}
	}
	return element, nil, false
}

func elementsOf(set *managedfields.Set) func(yield func(managedfields.PathElement) bool) {
	return func(yield func(managedfields.PathElement) bool) {
		more := true
		each := func(e managedfields.PathElement) { more = more && yield(e) }
		set.Members.Iterate(each)
		set.Children.Iterate(each)
	}
}

// isItem tells whether an element is an item of a list: by its keys, or by its value.
func isItem(e managedfields.PathElement, item any) bool {
	switch {
	case e.Key != nil:
		m, ok := item.(map[string]any)
		for _, k := range *e.Key {
			ok = ok && same(m[k.Name], k.Value.Unstructured())
		}
		return ok
	case e.Value != nil:
		return same(item, (*e.Value).Unstructured())
	}
	return false
}

// ownOf is the part of an object that a manager of ours has applied: a manager that
// applies again gives up what it no longer names, so it has to name all of this.
func ownOf(o *object, manager string) map[string]any {
	for _, e := range o.GetManagedFields() {
		if e.Manager != manager || e.Operation != metav1.ManagedFieldsOperationApply || e.Subresource != "" {
			continue
		}
		if set := setOf(e); set != nil {
			own, _ := extract(set, o.Object).(map[string]any)
			return own
		}
	}
	return nil
}

func extract(set *managedfields.Set, value any) any {
	below := func(e managedfields.PathElement, v any) any {
		if child, ok := set.Children.Get(e); ok {
			return extract(child, v)
		}
		return v
	}
	switch value := value.(type) {
	case map[string]any:
		out := map[string]any{}
		for e := range elementsOf(set) {
			if e.FieldName == nil {
				continue
			}
			if v, has := value[*e.FieldName]; has {
				out[*e.FieldName] = below(e, v)
			}
		}
		return out
	case []any:
		out := []any{}
		for _, item := range value {
			for e := range elementsOf(set) {
				if isItem(e, item) {
					out = append(out, below(e, item))
					break
				}
			}
		}
		return out
	}
	return value
}

// merged is a and b together; where both have a field that is no map, b's.
func merged(a, b map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range a {
		out[k] = v
	}
	for k, v := range b {
		mine, isMap := out[k].(map[string]any)
		theirs, both := v.(map[string]any)
		if isMap && both {
			v = merged(mine, theirs)
		}
		out[k] = v
	}
	return out
}

// mayTakeAll judges every field that a write changes, by the managers that own it. It
// returns the end of the diff: whose values are taken over.
func mayTakeAll(o *object, p engine.Proposal, changes []fieldChange) (taken string, err error) {
	paths := make([][]any, len(changes))
	for i, c := range changes {
		paths[i] = c.path
	}
	whose, err := takeAll(o, p.Primitive, p, paths)
	if err != nil {
		return "", err
	}
	slices.Sort(whose)
	return strings.Join(slices.Compact(whose), ""), nil
}

package kubernetes

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	managedfields "sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/clusterview"
)

// managersAt returns the managers that own a field of an object, or a field below it. If there
// are none, it returns those that own a list or map around it as a whole. It distinguishes
// items of a list where the API server does.
func managersAt(o *object, path []any) []clusterview.FieldManager {
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
	if len(itself) > 0 { // nobody can own a value as a whole if another owns a part of it
		return itself
	}
	return around
}

// setOf returns the fields of one manager, or nil where they can't be parsed.
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

// ownsAt follows a path through the value as well, because managedFields identify the item
// of a list by its keys and not by its index.
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

// elementOf returns the element of managedFields for a step of a path, and the value there.
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

// isItem reports whether an element identifies an item of a list, by keys or by value.
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

// appliedAs returns the fields of an object that a manager of ours has applied. The manager
// has to name all of them when it applies again, or it gives them up.
func appliedAs(o *object, manager string) map[string]any {
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

// appliedBy returns the fields that a verb has applied to an object and still owns.
func appliedBy(o *object, verb string) map[string]any {
	if applied := appliedAs(o, managerOf(verb)); applied != nil {
		return applied
	}
	return map[string]any{}
}

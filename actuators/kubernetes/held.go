package kubernetes

import (
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/clusterview"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// writeKeeping is writeTo for a verb that writes one field now and another then: it
// names again what the verb wrote before, since a manager gives up what it no longer
// names. drop takes out of that what shall go; nil drops nothing.
func writeKeeping(o *object, verb string, set map[string]any, drop func(held map[string]any)) write {
	held := heldBy(o, verb)
	keep := runtime.DeepCopyJSON(held)
	if drop != nil {
		drop(keep)
	}
	w := writeTo(o, verb, inOrder(overlay(keep, set), o.Object))
	w.Before = pick(o.Object, overlay(held, w.Set))
	return w
}

// heldBy is what a verb wrote into an object, and still owns.
func heldBy(o *object, verb string) map[string]any {
	held := ownOf(o, managerOf(verb))
	if held == nil {
		return map[string]any{}
	}
	return held
}

// takeAll judges the fields that a verb with several of them changes. It tells for
// each who had it: "" for nobody, or for us.
func takeAll(o *object, verb string, p engine.Proposal, paths [][]any) ([]string, error) {
	p.Target = engine.Target{APIVersion: o.GetAPIVersion(), Kind: o.GetKind(), Namespace: o.GetNamespace(), Name: o.GetName()}
	out := make([]string, len(paths))
	for i, path := range paths {
		writers := writersAt(o, path)
		judged := p
		if !wroteOver(o, verb, p.Written, writers) {
			judged.Written = time.Time{}
		}
		from, err := mayTake(fieldpath.Path(path).String(), writers, judged, o.GetAnnotations())
		if err != nil {
			return nil, err
		}
		out[i] = takenOver(from)
	}
	return out, nil
}

// wroteOver tells whether the writers of a field can have replaced a value of ours.
// They can't in an object that is younger than our last act, nor where we wrote the
// object after them: then we have left this field alone.
func wroteOver(o *object, verb string, written time.Time, writers []clusterview.FieldManager) bool {
	if o.GetCreationTimestamp().After(written) {
		return false
	}
	var newest time.Time
	for _, w := range writers {
		if w.Time.After(newest) {
			newest = w.Time
		}
	}
	for _, e := range o.GetManagedFields() {
		if e.Manager == managerOf(verb) && e.Time != nil && newest.Before(e.Time.Time) {
			return false
		}
	}
	return true
}

// overlay is both sets of fields in one; over wins. Items of keyed lists are told
// apart by name; every other list is one value.
func overlay(under, over map[string]any) map[string]any {
	out := maps.Clone(under)
	if out == nil {
		out = map[string]any{}
	}
	for name, field := range over {
		switch v := field.(type) {
		case map[string]any:
			if u, ok := out[name].(map[string]any); ok && !slices.Contains(whole, name) {
				out[name] = overlay(u, v)
				continue
			}
		case []any:
			if u, ok := out[name].([]any); ok && slices.Contains(keyed, name) {
				out[name] = overlayNamed(u, v)
				continue
			}
		}
		out[name] = field
	}
	return out
}

func overlayNamed(under, over []any) []any {
	out := slices.Clone(under)
	for _, item := range over {
		v, _ := item.(map[string]any)
		at := slices.IndexFunc(out, func(i any) bool {
			u, ok := i.(map[string]any)
			return ok && v != nil && u["name"] == v["name"]
		})
		if at < 0 {
			out = append(out, item)
			continue
		}
		out[at] = overlay(out[at].(map[string]any), v)
	}
	return out
}

// inOrder puts the items of keyed lists in the order that an object has them: the API
// server takes up the order of a list that is applied, and a variable may refer to
// those before it.
func inOrder(set, as map[string]any) map[string]any {
	out := maps.Clone(set)
	for name, field := range out {
		switch f := field.(type) {
		case map[string]any:
			if a, ok := as[name].(map[string]any); ok {
				out[name] = inOrder(f, a)
			}
		case []any:
			if a, ok := as[name].([]any); ok && slices.Contains(keyed, name) {
				out[name] = itemsInOrder(f, a)
			}
		}
	}
	return out
}

func itemsInOrder(items, as []any) []any {
	type placed struct {
		at   int
		item any
	}
	list := make([]placed, len(items))
	for i, item := range items {
		m, _ := item.(map[string]any)
		list[i] = placed{len(as), item}
		for at, other := range as {
			if a, ok := other.(map[string]any); ok && m != nil && a["name"] == m["name"] {
				list[i] = placed{at, inOrder(m, a)}
			}
		}
	}
	slices.SortStableFunc(list, func(a, b placed) int { return a.at - b.at })
	out := make([]any, len(list))
	for i, p := range list {
		out[i] = p.item
	}
	return out
}

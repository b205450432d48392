package kubernetes

import (
	"encoding/json"
	"reflect"
	"slices"
)

// keyed are the lists whose items the API server tells apart by name, so that a
// write may hold some of them. Every other list is written as a whole.
var keyed = []string{"containers", "initContainers", "env"}

// whole are the maps that the API server takes as one value.
var whole = []string{"nodeSelector"}

// pick is the part of an object that a set of fields names, in the same shape; what
// the object does not have is left out.
func pick(from, set map[string]any) map[string]any {
	out := map[string]any{}
	for name, want := range set {
		have, there := from[name]
		if !there {
			continue
		}
		switch w := want.(type) {
		case map[string]any:
			if h, ok := have.(map[string]any); ok && !slices.Contains(whole, name) {
				if picked := pick(h, w); len(picked) > 0 || len(w) == 0 {
					out[name] = picked
				}
				continue
			}
		case []any:
			if h, ok := have.([]any); ok && slices.Contains(keyed, name) {
				out[name] = pickNamed(h, w)
				continue
			}
		}
		out[name] = have
	}
	return out
}

// pickNamed picks from the items of a list those that the set names.
func pickNamed(from, set []any) []any {
	out := []any{}
	for _, want := range set {
		w, _ := want.(map[string]any)
		for _, have := range from {
			if h, ok := have.(map[string]any); ok && w != nil && h["name"] == w["name"] {
				out = append(out, pick(h, w))
			}
		}
	}
	return out
}

// same compares JSON values: a number is the same whatever Go type it came in.
func same(a, b any) bool { return reflect.DeepEqual(plain(a), plain(b)) }

// plain is a value as JSON would have it, and an empty map as none.
func plain(v any) any {
	raw, err := json.Marshal(v)
	if err != nil {
		return v
	}
	var out any
	if err := json.Unmarshal(raw, &out); err != nil {
		return v
	}
	if m, ok := out.(map[string]any); ok && len(m) == 0 {
		return nil
	}
	return out
}

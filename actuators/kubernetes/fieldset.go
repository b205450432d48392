package kubernetes

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
)

// keyedLists are the lists whose items the API server merges by name, so a patch may hold
// only some of them. Every other list is one value.
var keyedLists = []string{"containers", "initContainers", "env"}

// atomicMaps are the maps that the API server treats as one value.
var atomicMaps = []string{"nodeSelector"}

// pick returns the part of an object that has the fields of a set. Fields that the object
// lacks are left out.
func pick(from, set map[string]any) map[string]any {
	out := map[string]any{}
	for name, want := range set {
		have, there := from[name]
		if !there {
			continue
		}
		switch w := want.(type) {
		case map[string]any:
			if h, ok := have.(map[string]any); ok && !slices.Contains(atomicMaps, name) {
				if picked := pick(h, w); len(picked) > 0 || len(w) == 0 {
					out[name] = picked
				}
				continue
			}
		case []any:
			if h, ok := have.([]any); ok && slices.Contains(keyedLists, name) {
				out[name] = pickNamed(h, w)
				continue
			}
		}
		out[name] = have
	}
	return out
}

// pickNamed picks the items of a list that have the names of the set's items.
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

// same compares values as JSON, so the Go type of a number does not matter.
func same(a, b any) bool { return reflect.DeepEqual(plain(a), plain(b)) }

// plain converts a value as JSON would; an empty map becomes nil.
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

// overlay merges two sets of fields; over takes precedence. Items of keyed lists are merged by
// name, every other list is one value.
func overlay(under, over map[string]any) map[string]any {
	out := maps.Clone(under)
	if out == nil {
		out = map[string]any{}
	}
	for name, field := range over {
		switch v := field.(type) {
		case map[string]any:
			if u, ok := out[name].(map[string]any); ok && !slices.Contains(atomicMaps, name) {
				out[name] = overlay(u, v)
				continue
			}
		case []any:
			if u, ok := out[name].([]any); ok && slices.Contains(keyedLists, name) {
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

// orderLike sorts the items of keyed lists as an object has them. The API server keeps the
// order of an applied list, and an environment variable may refer to earlier ones.
func orderLike(set, as map[string]any) map[string]any {
	out := maps.Clone(set)
	for name, field := range out {
		switch f := field.(type) {
		case map[string]any:
			if a, ok := as[name].(map[string]any); ok {
				out[name] = orderLike(f, a)
			}
		case []any:
			if a, ok := as[name].([]any); ok && slices.Contains(keyedLists, name) {
				out[name] = orderItemsLike(f, a)
			}
		}
	}
	return out
}

func orderItemsLike(items, as []any) []any {
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
				list[i] = placed{at, orderLike(m, a)}
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

// merge merges two sets of fields; b takes precedence. All lists are one value.
func merge(a, b map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range a {
		out[k] = v
	}
	for k, v := range b {
		mine, isMap := out[k].(map[string]any)
		theirs, both := v.(map[string]any)
		if isMap && both {
			v = merge(mine, theirs)
		}
		out[k] = v
	}
	return out
}

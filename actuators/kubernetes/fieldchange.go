package kubernetes

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// fieldChange is a field that differs between two versions of an object.
type fieldChange struct {
	path     fieldpath.Path
	from, to any // nil where there is none
}

// unsaid are the fields of metadata that the API server writes by itself.
var unsaid = []string{"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp"}

// changesBetween lists the fields that differ, in the order of their names, but for
// the status. A list that becomes longer or shorter is one field.
func changesBetween(before, after map[string]any) []fieldChange {
	var out []fieldChange
	walkChanges(nil, said(before), said(after), &out)
	return out
}

func said(o map[string]any) map[string]any {
	out := maps.Clone(o)
	delete(out, "status")
	if m, ok := o["metadata"].(map[string]any); ok {
		m = maps.Clone(m)
		for _, name := range unsaid {
			delete(m, name)
		}
		out["metadata"] = m
	}
	return out
}

func walkChanges(path []any, before, after any, out *[]fieldChange) {
	if same(before, after) {
		return
	}
	at := func(step any) []any { return append(slices.Clone(path), step) }
	if b, a, both := asMaps(before, after); both {
		all := maps.Clone(b)
		maps.Copy(all, a)
		for _, name := range slices.Sorted(maps.Keys(all)) {
			walkChanges(at(name), b[name], a[name], out)
		}
		return
	}
	switch a := after.(type) {
	case []any:
		b, ok := before.([]any)
		if !ok || len(a) != len(b) {
			break
		}
		for i := range a {
			walkChanges(at(i), b[i], a[i], out)
		}
		return
	}
	*out = append(*out, fieldChange{path, before, after})
}

// asMaps is both values as maps, one that is not there as an empty one.
func asMaps(before, after any) (b, a map[string]any, both bool) {
	b, isB := before.(map[string]any)
	a, isA := after.(map[string]any)
	if both = isA && (isB || before == nil) || isB && after == nil; both && b == nil {
		b = map[string]any{}
	}
	return b, a, both
}

// String is the field's part of a diff.
func (c fieldChange) String() string {
	return fmt.Sprintf("%s %s -> %s", c.path, brief(c.from), brief(c.to))
}

const (
	briefest = 60 // characters of a value in a diff
	fewest   = 12 // fields of a diff
)

func brief(v any) string {
	if v == nil {
		return "none"
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	text := []rune(strings.Trim(string(raw), `"`))
	if len(text) > briefest {
		return string(text[:briefest]) + "..."
	}
	return string(text)
}

// diffOf is the changes for a person.
func diffOf(changes []fieldChange) string {
	var parts []string
	for i, c := range changes {
		if i == fewest {
			parts = append(parts, fmt.Sprintf("and %d fields more", len(changes)-fewest))
			break
		}
		parts = append(parts, c.String())
	}
	return strings.Join(parts, ", ")
}

func andList(texts []string) string { return strings.Join(texts, " and ") }

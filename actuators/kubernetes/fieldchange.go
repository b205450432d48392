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
	from, to any // nil where the field does not exist
}

// serverFields are the fields of metadata that the API server maintains.
var serverFields = []string{"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp"}

// changesBetween lists the fields that differ, sorted by name, without the status. A list
// whose length changes is one field.
func changesBetween(before, after map[string]any) []fieldChange {
	var out []fieldChange
	walkChanges(nil, withoutServerFields(before), withoutServerFields(after), &out)
	return out
}

func withoutServerFields(o map[string]any) map[string]any {
	out := maps.Clone(o)
	delete(out, "status")
	if m, ok := o["metadata"].(map[string]any); ok {
		m = maps.Clone(m)
		for _, name := range serverFields {
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

// asMaps returns both values as maps; nil counts as an empty one.
func asMaps(before, after any) (b, a map[string]any, both bool) {
	b, isB := before.(map[string]any)
	a, isA := after.(map[string]any)
	if both = isA && (isB || before == nil) || isB && after == nil; both && b == nil {
		b = map[string]any{}
	}
	return b, a, both
}

func (c fieldChange) String() string {
	return fmt.Sprintf("%s %s -> %s", c.path, truncated(c.from), truncated(c.to))
}

const (
	maxValueRunes = 60 // characters of a value in a diff
	maxDiffFields = 12 // fields of a diff
)

func truncated(v any) string {
	if v == nil {
		return "none"
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	text := []rune(strings.Trim(string(raw), `"`))
	if len(text) > maxValueRunes {
		return string(text[:maxValueRunes]) + "..."
	}
	return string(text)
}

func diffOf(changes []fieldChange) string {
	var parts []string
	for i, c := range changes {
		if i == maxDiffFields {
			parts = append(parts, fmt.Sprintf("and %d fields more", len(changes)-maxDiffFields))
			break
		}
		parts = append(parts, c.String())
	}
	return strings.Join(parts, ", ")
}

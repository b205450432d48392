package clusterview

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// ownedSets are sets of fields as the API server writes them.
var ownedSets = []string{
	`{"f:spec":{"f:replicas":{}}}`,
	`{"f:metadata":{"f:annotations":{".":{},"f:spec":{"f:replicas":{}}}},"f:spec":{"f:template":{"f:replicas":{}}}}`,
	`{"f:metadata":{"f:labels":{"f:a\"}{\\":{}}},"f:spec":{"f:strategy":{"f:type":{}},"f:replicas":{}}}`,
	`{"f:spec":{"f:containers":{"k:{\"name\":\"f:replicas\"}":{".":{},"f:image":{}}}}}`,
	`{"f:status":{"f:replicas":{}},"f:spec":{}}`,
	`{"f:spec":{"v:\"f:replicas\"":{}}}`,
	`{}`, ``, `{"f:spec`, `{"f:spec":{"f:replicas":`, `{"f:spec":"f:replicas"}`, `[]`,
}

func TestOwnedFieldsAreFoundWithoutDecodingTheSet(t *testing.T) {
	replicas := fieldpath.Names("spec", "replicas")
	for i, want := range []bool{true, false, true} {
		require.Equal(t, want, ownsIn([]byte(ownedSets[i]), replicas), ownedSets[i])
	}
	require.False(t, ownsIn([]byte(ownedSets[0]), fieldpath.Path{"spec", 0}))
}

// The scan finds what decoding finds, in every valid set.
func FuzzOwnedFields(f *testing.F) {
	for _, set := range ownedSets {
		f.Add(set, "spec", "replicas")
	}
	f.Fuzz(func(t *testing.T, text, first, second string) {
		var set map[string]any
		path := fieldpath.Names(first, second)
		got := ownsIn([]byte(text), path) // never panics
		if json.Unmarshal([]byte(text), &set) != nil || !writtenByTheAPIServer(set, text) {
			return
		}
		require.Equal(t, owns(set, path), got, text)
	})
}

// writtenByTheAPIServer reports whether a text is the only one for its set: objects alone,
// without spaces, each name once and without needless escapes.
func writtenByTheAPIServer(set map[string]any, text string) bool {
	for _, field := range set {
		inner, is := field.(map[string]any)
		if !is || !writtenByTheAPIServer(inner, "") {
			return false
		}
	}
	again, err := json.Marshal(set)
	return err == nil && (text == "" || len(again) == len(text))
}

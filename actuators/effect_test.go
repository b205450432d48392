package actuators

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// A manifest takes for a guard the verbs that have the property it bounds.
func TestTheVerbsOfEachGuard(t *testing.T) {
	of := func(is func(verb string, k Kind) bool) []string {
		var out []string
		for _, verb := range slices.Sorted(maps.Keys(Verbs)) {
			if is(verb, Verbs[verb]) {
				out = append(out, verb)
			}
		}
		return out
	}
	require.Equal(t, manifest.DirectedVerbs, of(func(_ string, k Kind) bool { return k.Direction != nil }))
	require.Equal(t, manifest.ReplicaVerbs, of(func(_ string, k Kind) bool {
		return k.Claim != nil && k.Claim(nil) == "replicas"
	}))
	require.Equal(t, manifest.FieldVerbs, of(func(_ string, k Kind) bool { return k.Claim != nil && !k.Transient }))
	require.Equal(t, manifest.RunVerbs, of(func(_ string, k Kind) bool { return k.Transient }))
	require.Equal(t, manifest.URLVerbs, of(func(_ string, k Kind) bool {
		_, has := fieldNamed(reflect.TypeOf(k.With()).Elem(), "url")
		return has
	}))
	require.Equal(t, manifest.TrackerVerbs, of(func(verb string, _ Kind) bool {
		return strings.HasPrefix(verb, "model.") && verb != "model.serve" || verb == "run.tag"
	}))
}

func fieldNamed(t reflect.Type, name string) (reflect.StructField, bool) {
	for _, f := range reflect.VisibleFields(t) {
		if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag == name {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

package kubernetes

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

func TestPick(t *testing.T) {
	deployment := objectOf(t, `
metadata: {name: web, labels: {a: b}}
spec:
  replicas: 2
  empty: {}
  template: {spec: {tolerations: [{key: a}, {key: b}], containers: [{name: log}, {name: main, image: i, env: [{name: A, value: "1"}, {name: B, value: "2"}]}]}}
`).Object
	for name, row := range map[string]struct{ set, want string }{
		"a value":                   {"{spec: {replicas: 5}}", "{spec: {replicas: 2}}"},
		"what is not there":         {"{spec: {paused: true}, status: {x: 1}}", "{}"},
		"an empty map":              {"{spec: {empty: {}}}", "{spec: {empty: {}}}"},
		"another type":              {"{spec: {replicas: {x: 1}}}", "{spec: {replicas: 2}}"},
		"a list as a whole":         {"{spec: {template: {spec: {tolerations: [{key: z}]}}}}", "{spec: {template: {spec: {tolerations: [{key: a}, {key: b}]}}}}"},
		"an item by name":           {"{spec: {template: {spec: {containers: [{name: main, image: j}]}}}}", "{spec: {template: {spec: {containers: [{name: main, image: i}]}}}}"},
		"an item in an item":        {"{spec: {template: {spec: {containers: [{name: main, env: [{name: B, value: x}]}]}}}}", "{spec: {template: {spec: {containers: [{name: main, env: [{name: B, value: \"2\"}]}]}}}}"},
		"an item that is not there": {"{spec: {template: {spec: {containers: [{name: none}]}}}}", "{spec: {template: {spec: {containers: []}}}}"},
	} {
		t.Run(name, func(t *testing.T) {
			got := pick(deployment, objectOf(t, row.set).Object)
			require.Empty(t, cmp.Diff(plain(objectOf(t, row.want).Object), plain(got)))
		})
	}
}

func TestSameWhateverTheGoType(t *testing.T) {
	require.True(t, same(map[string]any{"a": int64(1)}, map[string]any{"a": 1.0}))
	require.True(t, same(map[string]any{}, nil))
	require.False(t, same(map[string]any{"a": 1}, nil))
	require.False(t, same([]any{1}, []any{1, 2}))
}

func TestChangesAreNamed(t *testing.T) {
	before := objectOf(t, `{metadata: {resourceVersion: "1", annotations: {example.com/a: x}}, spec: {list: [{a: 1}, {a: 2}], gone: {x: 1}}, status: {x: 1}}`)
	now := objectOf(t, `{metadata: {resourceVersion: "2", annotations: {example.com/a: z}}, spec: {list: [{a: 1}, {a: 3}], new: {b: true}, many: [1, 2]}, status: {x: 2}}`)
	require.Equal(t, "metadata.annotations['example.com/a'] x -> z, spec.gone.x 1 -> none, spec.list[1].a 2 -> 3, spec.many none -> [1,2], spec.new.b none -> true",
		diffOf(changesBetween(before.Object, now.Object)))
	require.Empty(t, changesBetween(now.Object, now.Object))
}

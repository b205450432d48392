package fieldpath

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

func TestFieldPaths(t *testing.T) {
	object := map[string]any{
		"status":   map[string]any{"ready": int64(2), "gone": nil, "list": []any{map[string]any{"image": "a"}, 1.5}},
		"metadata": map[string]any{"annotations": map[string]any{"example.com/owner": "me"}},
	}
	for text, want := range map[string]any{
		"status.ready":               int64(2),
		".status.ready":              int64(2),
		"status.list[0].image":       "a",
		"status.list[1]":             1.5,
		"status.list[2]":             nil,
		"status.list.image":          nil,
		"status.ready.x":             nil,
		"status[0]":                  nil,
		"status.gone":                nil,
		"none":                       nil,
		`status['list'][0]["image"]`: "a",
		"metadata.annotations['example.com/owner']":   "me",
		`metadata.annotations["example.com/owner"]`:   "me",
		"metadata.annotations['example.com/another']": nil,
	} {
		p, err := Parse(text)
		require.NoError(t, err, text)
		got, found := Find(object, p...)
		require.Empty(t, cmp.Diff(want, got), text)
		require.Equal(t, want != nil, found, text)
	}
	for _, bad := range []string{"", ".", "a.", "a..b", "[0]", "a[", "a[]", "a[-1]", "a[x]", "a['b", "a['']", "a[0]b", "a b", "a]", "'a'"} {
		_, err := Parse(bad)
		require.ErrorContains(t, err, "status.readyReplicas", bad)
	}
}

func FuzzFieldPath(f *testing.F) {
	for _, seed := range []string{"status.ready", "a[0]['b.c'][\"d\"].e", ".", "a[", "a['x]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		require.Equal(t, err == nil, len(p) > 0)
	})
}

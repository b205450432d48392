package labelrules

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMistakes(t *testing.T) {
	require.Empty(t, Mistakes("labels", nil))
	require.Empty(t, Mistakes("labels", map[string]string{"example.com/Work": "", "a": "b_C.1"}))
	got := Mistakes("labels", map[string]string{"b": "x y", "a b": "-"}).Lines()
	require.Len(t, got, 3)
	require.Contains(t, got[0], `labels["a b"]: is no name of a label: `)
	require.Contains(t, got[1], `labels["a b"]: no label has the value "-": `)
	require.Contains(t, got[2], `labels.b: no label has the value "x y": `)
}

func TestNamespace(t *testing.T) {
	for name, is := range map[string]bool{"batch-1": true, "": false, "*": false, "A": false, "a.b": false, "a/b": false, "-a": false} {
		require.Equal(t, is, Namespace(name), name)
	}
}

package source

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A parser of YAML compares each key of an object with all others: too many of them are
// refused where they are, before they take it.
func TestTooManyKeysOfAnObjectAreRefusedWithTheirLine(t *testing.T) {
	keys := func(n int) string {
		var b strings.Builder
		for i := range n {
			_, _ = fmt.Fprintf(&b, "  k%d: 1\n", i)
		}
		return b.String()
	}
	for name, text := range map[string]string{
		"one object":       "a: 1\nb:\n" + keys(17_000),
		"several":          "a: 1\nb:\n- c:\n" + keys(12_000) + "- d:\n" + keys(12_000),
		"aliases of one":   "a: &a\n" + keys(9000) + "b: [" + strings.Repeat("*a, ", 20) + "*a]\n",
		"flow, of strings": "a: 1\nb: {" + strings.ReplaceAll(keys(17_000), "\n", ",") + "}\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseData(File{Path: "data.yaml", Content: []byte(text)})
			require.ErrorContains(t, err, "write it as JSON")
			require.Regexp(t, `^line \d+: `, err.Error())
		})
	}
	_, err := parseData(File{Path: "data.json", Content: []byte(`{"a": 1}`)})
	require.NoError(t, err)
	_, err = parseData(File{Path: "data.yaml", Content: []byte("a:\n" + keys(3000))})
	require.NoError(t, err)
}

package engine_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

func TestClip(t *testing.T) {
	require.Equal(t, "short", engine.Clip("short"))
	exact := strings.Repeat("x", engine.TextMost)
	require.Equal(t, exact, engine.Clip(exact))
	require.Equal(t, exact+"... (3 bytes more)", engine.Clip(exact+"yyy"))
	require.Equal(t, strings.Repeat("x", engine.TextMost-1)+"... (2 bytes more)", engine.Clip(strings.Repeat("x", engine.TextMost-1)+"é"))
	for _, text := range []string{exact + "yyy", strings.Repeat("x", 100<<10), strings.Repeat("é", 100<<10), strings.Repeat("\n", 5000), exact + "... (3 bytes more) of "} {
		require.Equal(t, engine.Clip(text), engine.Clip(engine.Clip(text)), "a text that was cut is cut no further")
	}
	require.Less(t, len(engine.Clip(exact+exact+"... (3 bytes more)")), engine.TextMost+50)
	require.Less(t, len(engine.Clip(exact+"... ("+strings.Repeat("3", 5000)+" bytes more)")), engine.TextMost+50)
}

func TestEcho(t *testing.T) {
	for text, want := range map[string]string{
		"short": "short", "caf\u00e9": "caf\u00e9", "a\nb": `"a\nb"`, "\x1b[31mred": `"\x1b[31mred"`, "a\u202eb": `"a\u202eb"`, "a\xffb": "ab",
		strings.Repeat("x", 101): strings.Repeat("x", 100) + "...", strings.Repeat("x", 99) + "\u00e9": strings.Repeat("x", 99) + "...",
	} {
		require.Equal(t, want, engine.Echo(text))
	}
}

package plot

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRealTerminal asks the master side of a pseudo-terminal, which Linux treats as one.
func TestRealTerminal(t *testing.T) {
	f, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	yes, _ := Terminal(f)
	require.True(t, yes)
	for _, c := range []struct {
		env  map[string]string
		want bool
	}{
		{nil, true}, {map[string]string{"TERM": "xterm"}, true}, {map[string]string{"NO_COLOR": "1"}, false}, {map[string]string{"TERM": "dumb"}, false},
	} {
		require.Equal(t, c.want, Colorful(f, func(k string) string { return c.env[k] }), c.env)
	}
	require.GreaterOrEqual(t, Width(f), 60)
}

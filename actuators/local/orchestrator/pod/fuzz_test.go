package pod

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzExit reads any file as an exit status: the result is a valid status, or -1.
func FuzzExit(f *testing.F) {
	for _, text := range []string{"0\n", "255\n", "256\n", "-1\n", "-2\n", "+5\n", "007\n", "5", "", "\n", "5\n5\n", "99999999999999999999\n", "1e3\n", "5 \n", "\x005\n", "0x5\n", "\xff\n"} {
		f.Add([]byte(text))
	}
	file := filepath.Join(f.TempDir(), "exit")
	f.Fuzz(func(t *testing.T, text []byte) {
		require.NoError(t, os.WriteFile(file, text, 0o600))
		code := readExit(file).Code
		require.True(t, code >= -1 && code <= 255, "%q is %d", text, code)
		if n, err := strconv.ParseUint(string(text[:max(0, len(text)-1)]), 10, 8); err == nil && text[len(text)-1] == '\n' {
			require.Equal(t, int(n), code)
		}
	})
}

package statefile

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestListTakesTheFolderAsItIsNamed(t *testing.T) {
	for _, name := range []string{"plain", "a[1]", "a*", "a?b", `a\b`, "[", "日本"} {
		dir := filepath.Join(t.TempDir(), name)
		files, err := List(dir, "*.json")
		require.NoError(t, err, "a folder that does not exist")
		require.Empty(t, files)
		require.NoError(t, os.Mkdir(dir, 0o700))
		for _, file := range []string{"b.json", "a.json", "c.json.bad"} {
			require.NoError(t, os.WriteFile(filepath.Join(dir, file), nil, 0o600))
		}
		files, err = List(dir, "*.json")
		require.NoError(t, err, name)
		require.Equal(t, []string{filepath.Join(dir, "a.json"), filepath.Join(dir, "b.json")}, files, name)
		_, err = List(filepath.Join(dir, "a.json"), "*.json")
		require.ErrorContains(t, err, "not a directory")
	}
}

package statefile

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWriteIsAtomic(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.json")
	var got map[string]int
	require.ErrorIs(t, Read(file, &got), fs.ErrNotExist)
	require.NoError(t, Write(file, map[string]int{"a": 1}))
	require.Error(t, Write(file, map[string]any{"a": func() {}}), "what can't be written leaves what was there")
	require.NoError(t, Read(file, &got))
	require.Equal(t, map[string]int{"a": 1}, got)
	require.NoError(t, os.WriteFile(file, []byte("{"), 0o600))
	require.ErrorContains(t, Read(file, &got), file)
	require.NoError(t, Remove(file))
	require.NoError(t, Remove(file), "gone is gone")
	left, err := os.ReadDir(filepath.Dir(file))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestAFolderIsLockedByOneProcess(t *testing.T) {
	dir := t.TempDir()
	first, err := Acquire(dir)
	require.NoError(t, err)
	_, err = Acquire(dir)
	require.ErrorIs(t, err, ErrInUse)
	require.ErrorContains(t, err, dir)
	require.NoError(t, first.Release())
	second, err := Acquire(dir)
	require.NoError(t, err)
	require.NoError(t, second.Release())
	_, err = Acquire(filepath.Join(dir, "absent"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}

package plainfile_test

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/plainfile"
)

func TestOnlyRegularFilesAreRead(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.WriteFile(at("file"), []byte("12345"), 0o600))
	require.NoError(t, os.Symlink("file", at("link")))
	require.NoError(t, syscall.Mkfifo(at("pipe"), 0o600))
	require.NoError(t, os.Symlink("pipe", at("to a pipe")))
	require.NoError(t, os.Symlink("nowhere", at("to nothing")))
	socket, err := net.Listen("unix", at("socket"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = socket.Close() })

	for _, name := range []string{"file", "link"} {
		raw, err := plainfile.Read(at(name), 5)
		require.NoError(t, err)
		require.Equal(t, "12345", string(raw))
		_, err = plainfile.Read(at(name), 4)
		require.ErrorIs(t, err, plainfile.ErrTooLarge)
		require.EqualError(t, err, "read "+at(name)+": is larger than 4 bytes")
	}
	for name, want := range map[string]error{
		at("pipe"): plainfile.ErrNotPlain, at("to a pipe"): plainfile.ErrNotPlain, at("socket"): plainfile.ErrNotPlain,
		dir: plainfile.ErrNotPlain, "/dev/zero": plainfile.ErrNotPlain,
		at("none"): fs.ErrNotExist, at("to nothing"): fs.ErrNotExist,
	} {
		_, err := plainfile.Read(name, 5)
		require.ErrorIs(t, err, want, name)
	}
}

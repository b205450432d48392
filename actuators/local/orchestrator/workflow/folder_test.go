package workflow

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"
)

// ReadFolder returns the same runs as the Runner that has the folder open.
func TestReadFolder(t *testing.T) {
	dir, here := t.TempDir(), file(t, "here")
	r := newRunner(t, Options{Dir: dir})
	submit(t, r, "templates: [{name: main, container: "+shell("touch "+here+"; until [ -e "+here+".go ]; do sleep 0.01; done")+"}]")
	process(t, r, "", here)
	same := func() {
		t.Helper()
		runs, err := ReadFolder(dir)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(r.Runs(), runs, cmpopts.EquateEmpty()))
	}
	same()
	closeRunner(t, r, Detach)
	same()
	require.Equal(t, Running, getRun(t, r).Phase)
	r = newRunner(t, Options{Dir: dir})
	require.NoError(t, os.WriteFile(here+".go", nil, 0o600))
	waitEnded(t, r)
	same()

	require.NoError(t, os.Mkdir(filepath.Join(dir, "test_broken"), 0o700))
	same()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "test_broken", recordName), []byte("{"), 0o600))
	runs, err := ReadFolder(dir)
	require.ErrorContains(t, err, filepath.Join("test_broken", recordName))
	require.Len(t, runs, 1)
	_, err = ReadFolder(filepath.Join(dir, "absent"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}

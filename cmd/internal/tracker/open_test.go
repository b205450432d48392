package tracker

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTwoTrackersOnOneFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "here")
	first := serveChild(t, dir)
	_, err := Open(t.Context(), Options{Dir: dir})
	require.ErrorIs(t, err, ErrLocked)
	require.ErrorContains(t, err, dir)
	require.ErrorContains(t, err, fmt.Sprintf("(pid %d)", first.cmd.Process.Pid))
	first.kill(t) // killed, it holds nothing more

	tr, err := Open(t.Context(), Options{Dir: dir})
	require.NoError(t, err)
	_, err = Open(t.Context(), Options{Dir: dir})
	require.ErrorIs(t, err, ErrLocked, "within one process too")
	require.NoError(t, tr.Close())
	require.NoError(t, tr.Close(), "twice is fine")
	tr, err = Open(t.Context(), Options{Dir: dir})
	require.NoError(t, err)
	require.NoError(t, tr.Close())
}

// TestFilesThatAreRefused: a rejected file is not changed.
func TestFilesThatAreRefused(t *testing.T) {
	t.Parallel()
	database := func(t *testing.T, path string, statements ...string) {
		db, err := sql.Open("sqlite", path)
		require.NoError(t, err)
		for _, s := range statements {
			_, err := db.Exec(s)
			require.NoError(t, err)
		}
		require.NoError(t, db.Close())
	}
	for name, c := range map[string]struct {
		make func(t *testing.T, path string)
		says string
	}{
		"of another program": {func(t *testing.T, path string) { database(t, path, `CREATE TABLE x (y)`) }, "some other program"},
		"of another program that says its name": {func(t *testing.T, path string) {
			database(t, path, `PRAGMA application_id = 7`)
		}, "some other program"},
		"of a newer Scanflow": {func(t *testing.T, path string) {
			database(t, path, `CREATE TABLE x (y)`, fmt.Sprintf(`PRAGMA application_id = %d`, applicationID), `PRAGMA user_version = 99`)
		}, "schema 99"},
		"no database": {func(t *testing.T, path string) {
			require.NoError(t, os.WriteFile(path, []byte("a text, and long enough to be looked at as a database would be: 0123456789012345678901234567890123456789"), 0o600))
		}, "is damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, fileName)
			c.make(t, path)
			before, err := os.ReadFile(path)
			require.NoError(t, err)
			_, err = Open(t.Context(), Options{Dir: dir})
			require.ErrorIs(t, err, ErrForeign)
			require.ErrorContains(t, err, c.says)
			require.ErrorContains(t, err, path)
			after, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, before, after)
			require.NoError(t, os.Remove(path))
			tr, err := Open(t.Context(), Options{Dir: dir})
			require.NoError(t, err, "the lock was given back")
			require.NoError(t, tr.Close())
		})
	}
}

func TestFolderIsForItsUserOnly(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	c, _ := start(t, func(o *Options) { o.Dir = dir })
	c.put("/a/b", "x")
	c.experiment("e")
	require.NoError(t, filepath.Walk(dir, func(name string, info os.FileInfo, err error) error {
		require.NoError(t, err)
		require.Zero(t, info.Mode().Perm()&0o077, name)
		return nil
	}))
}

// TestStaysOverARestart: ids, versions and the default experiment are the same after a restart.
func TestStaysOverARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for n := range 3 {
		tr, err := Open(t.Context(), Options{Dir: dir})
		require.NoError(t, err)
		require.NoError(t, tr.store.view(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
			found, err := readExperiments(ctx, tx, experimentColumns+` ORDER BY e.id`)
			require.Len(t, found, 1+n)
			require.Equal(t, "Default", found[0].Name)
			return err
		}))
		_, err = tr.createExperiment(t.Context(), &createExperimentRequest{Name: fmt.Sprint("e", n)})
		require.NoError(t, err)
		require.NoError(t, tr.Close())
	}
}

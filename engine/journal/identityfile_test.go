package journal

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A journal that was lost is never silently created again.
func TestALostJournalIsNotBegunAnew(t *testing.T) {
	remove := func(names ...string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			for _, name := range names {
				if err := os.Remove(filepath.Join(dir, name)); !errors.Is(err, os.ErrNotExist) {
					require.NoError(t, err)
				}
			}
		}
	}
	for name, row := range map[string]struct {
		killed bool // its last owner did not close it
		spoil  func(*testing.T, string)
		kind   error // nil: it is opened
		says   string
	}{
		"as it was":            {false, remove(), nil, ""},
		"as it was, killed":    {true, remove(), nil, ""},
		"deleted":              {false, remove(fileName), ErrCorrupt, ""}, // its log may lie there
		"deleted with its log": {false, remove(fileName, fileName+"-wal", fileName+"-shm"), ErrLost, "its file is missing"},
		"emptied": {false, func(t *testing.T, dir string) {
			remove(fileName+"-wal", fileName+"-shm")(t, dir)
			require.NoError(t, os.Truncate(journalPath(dir), 0))
		}, ErrLost, "its file is empty"},
		"emptied, log left":   {true, func(t *testing.T, dir string) { require.NoError(t, os.Truncate(journalPath(dir), 0)) }, ErrLost, "its file is empty"},
		"killed, log deleted": {true, remove(fileName+"-wal", fileName+"-shm"), ErrLost, "what was written last is gone"},
		"killed, log emptied": {true, func(t *testing.T, dir string) { require.NoError(t, os.Truncate(journalPath(dir)+"-wal", 0)) }, ErrLost, "what was written last is gone"},
		"closed, log deleted": {false, remove(fileName+"-wal", fileName+"-shm"), nil, ""},
		"another journal": {false, func(t *testing.T, dir string) {
			remove(fileName+"-wal", fileName+"-shm")(t, dir)
			raw, err := os.ReadFile(journalPath(filled(t)))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(journalPath(dir), raw, 0o600))
		}, ErrLost, "another journal's"},
		"a database that holds nothing": {false, func(t *testing.T, dir string) {
			remove(fileName, fileName+"-wal", fileName+"-shm")(t, dir)
			db, err := sql.Open("sqlite", journalPath(dir))
			require.NoError(t, err)
			_, err = db.Exec(`PRAGMA user_version = 1`)
			require.NoError(t, errors.Join(err, db.Close()))
		}, ErrLost, "holds nothing"},
		"another program's database": {false, func(t *testing.T, dir string) {
			remove(fileName, fileName+"-wal", fileName+"-shm")(t, dir)
			db, err := sql.Open("sqlite", journalPath(dir))
			require.NoError(t, err)
			_, err = db.Exec(`CREATE TABLE a (b)`)
			require.NoError(t, errors.Join(err, db.Close()))
		}, ErrCorrupt, "some other program"},
		"a folder in its place": {false, func(t *testing.T, dir string) {
			remove(fileName, fileName+"-wal", fileName+"-shm")(t, dir)
			require.NoError(t, os.Mkdir(journalPath(dir), 0o700))
		}, ErrCorrupt, "it is a folder"},
		"a header of zeros": {false, func(t *testing.T, dir string) {
			raw, err := os.ReadFile(journalPath(dir))
			require.NoError(t, err)
			clear(raw[:100])
			require.NoError(t, os.WriteFile(journalPath(dir), raw, 0o600))
		}, ErrCorrupt, ""},
		"a mark that says nothing": {false, func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(identityPath(dir), nil, 0o600))
		}, ErrLost, "does not say which"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filled(t)
			if row.killed {
				dir = killedCopy(t, dir)
			}
			row.spoil(t, dir)
			for _, tolerant := range []bool{false, true} {
				j, err := Open(t.Context(), dir, Options{Tolerant: tolerant})
				if row.kind == nil {
					require.NoError(t, err)
					require.EqualValues(t, 10, rows(t, j)["firings"])
					require.NoError(t, j.Close())
					continue
				}
				if name == "deleted" {
					require.Error(t, err)
					continue
				}
				require.ErrorIs(t, err, row.kind)
				require.ErrorContains(t, err, row.says)
				if errors.Is(row.kind, ErrLost) {
					require.ErrorContains(t, err, "delete "+identityPath(dir), "the way out is said")
				}
			}
			if errors.Is(row.kind, ErrLost) {
				require.NoError(t, os.Remove(identityPath(dir)))
				_, err := Open(t.Context(), dir, Options{})
				require.NotErrorIs(t, err, ErrLost, "and works")
			}
		})
	}
}

// killedCopy copies the files of an open journal, as a kill would leave them.
func killedCopy(t *testing.T, dir string) string {
	t.Helper()
	j := open(t, dir, Options{})
	copied := filepath.Join(t.TempDir(), "journal")
	require.NoError(t, os.CopyFS(copied, os.DirFS(dir)))
	raw, err := os.ReadFile(identityPath(dir))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(identityPath(copied), raw, 0o600))
	require.NoError(t, j.Close())
	return copied
}

func TestAJournalOfBeforeTheMarkIsTaken(t *testing.T) {
	dir := filled(t)
	require.NoError(t, os.Remove(identityPath(dir)))
	j := open(t, dir, Options{})
	require.EqualValues(t, 10, rows(t, j)["firings"])
	require.NoError(t, j.Close())
	require.FileExists(t, identityPath(dir))
}

// The identity file is beside the folder, so that the loss of the whole folder is noticed too.
func TestADeletedFolderIsNoticed(t *testing.T) {
	dir, o := filepath.Join(t.TempDir(), "journal"), Options{}
	require.NoError(t, open(t, dir, o).Close())
	require.NoError(t, os.RemoveAll(dir))
	_, err := Open(t.Context(), dir, o)
	require.ErrorIs(t, err, ErrLost)
	require.NoError(t, os.Remove(identityPath(dir)))
	require.NoError(t, open(t, dir, o).Close())
}

// A file that disappears while there are no writes is noticed too.
func TestAFileThatGoesWhileItIsOpenIsNoticed(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"deleted": os.Remove,
		"emptied": func(path string) error { return os.Truncate(path, 0) },
		"another": func(path string) error { return errors.Join(os.Remove(path), os.WriteFile(path, nil, 0o600)) },
	} {
		t.Run(name, func(t *testing.T) {
			clock := newClock()
			j, err := Open(t.Context(), t.TempDir(), Options{Clock: clock})
			require.NoError(t, err)
			require.NoError(t, j.Intend(t.Context(), intent("a", 1)))
			require.NoError(t, spoil(j.path))
			pass(t, clock, retryInterval)
			require.ErrorIs(t, j.Health(), ErrGone)
			_ = j.Close() // what it says depends on how far SQLite comes
		})
	}
}

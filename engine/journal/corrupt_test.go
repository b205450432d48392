package journal

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// filled is a closed journal with several pages of each table.
func filled(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	j := open(t, dir, Options{})
	for i := range 10 {
		require.NoError(t, j.RecordFiring(t.Context(), firingOf(fmt.Sprint("f-", i), day, 10)))
		require.NoError(t, j.Intend(t.Context(), intent(fmt.Sprint("i-", i), i)))
		put(t, j, "a/x", event("s", fmt.Sprint(i)))
		send(t, j, event("s", fmt.Sprint(i)), peer)
		require.NoError(t, j.SaveApproval(t.Context(), engine.ApprovalChange{Approval: approval(fmt.Sprint("p-", i))}))
	}
	require.NoError(t, j.Close())
	return dir
}

func TestDamagedFileIsRefusedAndLeftAlone(t *testing.T) {
	edit := func(change func(raw []byte) []byte) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			raw, err := os.ReadFile(journalPath(dir))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(journalPath(dir), change(raw), 0o600))
		}
	}
	statement := func(query string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			db, err := sql.Open("sqlite", journalPath(dir))
			require.NoError(t, err)
			_, err = db.Exec(query)
			require.NoError(t, err)
			require.NoError(t, db.Close())
		}
	}
	sound, err := os.ReadFile(journalPath(filled(t)))
	require.NoError(t, err)
	for name, test := range map[string]struct {
		spoil func(*testing.T, string)
		kind  error
		says  string
	}{
		"garbage":     {edit(func(raw []byte) []byte { return bytes.Repeat([]byte("garbage "), len(raw)/8) }), ErrCorrupt, "file is not a database"},
		"text":        {edit(func([]byte) []byte { return []byte("hello\n") }), ErrCorrupt, "file is not a database"},
		"cut short":   {edit(func(raw []byte) []byte { return raw[:len(raw)/2] }), ErrCorrupt, ""},
		"zeroed page": {edit(func(raw []byte) []byte { clear(raw[8*4096 : 9*4096]); return raw }), ErrCorrupt, ""},
		"zeroed end":  {edit(func(raw []byte) []byte { clear(raw[len(raw)-16*4096:]); return raw }), ErrCorrupt, ""},
		"emptied, log left": {func(t *testing.T, dir string) {
			require.NoError(t, os.Truncate(journalPath(dir), 0))
			require.NoError(t, os.WriteFile(journalPath(dir)+"-wal", make([]byte, 4096), 0o600))
		}, ErrCorrupt, "write-ahead log"},
		"deleted, log left": {func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(journalPath(dir)))
			require.NoError(t, os.WriteFile(journalPath(dir)+"-wal", make([]byte, 4096), 0o600))
		}, ErrCorrupt, "write-ahead log"},
		"another program's": {statement(`PRAGMA application_id = 7`), ErrCorrupt, "some other program"},
		"a newer schema":    {statement(fmt.Sprintf(`UPDATE meta SET value = %d WHERE key = 'schema'`, schemaVersion+1)), ErrSchema, fmt.Sprintf("schema %d, this program knows %d", schemaVersion+1, schemaVersion)},
		"no schema":         {statement(`DELETE FROM meta WHERE key = 'schema'`), ErrCorrupt, "does not say its schema"},
		"a schema of words": {statement(`UPDATE meta SET value = 'new' WHERE key = 'schema'`), ErrCorrupt, `"new"`},
		"no meta at all":    {statement(`DROP TABLE meta`), ErrCorrupt, "meta is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(journalPath(dir), sound, 0o600))
			test.spoil(t, dir)
			before, beforeErr := os.ReadFile(journalPath(dir))
			for _, tolerant := range []bool{false, true} {
				_, err := Open(t.Context(), dir, Options{Tolerant: tolerant})
				require.ErrorIs(t, err, test.kind)
				require.ErrorContains(t, err, journalPath(dir))
				require.ErrorContains(t, err, test.says)
			}
			after, afterErr := os.ReadFile(journalPath(dir))
			require.Equal(t, beforeErr == nil, afterErr == nil)
			require.True(t, bytes.Equal(before, after), "the file is left as it is")
			_, err := acquire(dir)
			require.NoError(t, err, "the lock was given back")
		})
	}
}

// Damage to an open journal is reported by the next write or read of a damaged page.
func TestFileDamagedWhileOpen(t *testing.T) {
	dir := filled(t)
	j := open(t, dir, Options{})
	f, err := os.OpenFile(journalPath(dir), os.O_WRONLY, 0)
	require.NoError(t, err)
	info, err := f.Stat()
	require.NoError(t, err)
	_, err = f.WriteAt(bytes.Repeat([]byte{0xa5}, int(info.Size())-4096), 4096)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	// These pages are not cached: they were not read before.
	_, err = reader(t, j).Decisions(t.Context(), Filter{})
	require.ErrorIs(t, err, ErrCorrupt)
	_, err = j.Remember(t.Context(), "mlperf/planner", day)
	require.ErrorIs(t, err, ErrCorrupt)
	_, err = j.Outbox(t.Context(), 1)
	require.ErrorIs(t, err, ErrCorrupt)
	_, err = j.Messages(t.Context(), "", 1)
	require.ErrorIs(t, err, ErrCorrupt)
	_, err = j.Approvals(t.Context(), "", day)
	require.ErrorIs(t, err, ErrCorrupt)
	require.ErrorIs(t, j.Intend(t.Context(), intent("x", 1)), ErrCorrupt)
	_, err = j.Enqueue(t.Context(), postings([]string{"a/x"}, nil, event("s", "new")))
	require.ErrorIs(t, err, ErrCorrupt)
	require.ErrorIs(t, j.Health(), ErrCorrupt)
}

func TestFileMovedAwayWhileOpen(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	require.NoError(t, j.Intend(t.Context(), intent("a", 1)))
	away := filepath.Join(dir, "away.db")
	require.NoError(t, os.Rename(journalPath(dir), away))
	err := j.Intend(t.Context(), intent("b", 1))
	require.ErrorIs(t, err, ErrGone, "what is written to a file that is gone is lost")
	require.NoFileExists(t, journalPath(dir), "it is not made anew")
	require.NoError(t, os.WriteFile(journalPath(dir), nil, 0o600))
	require.ErrorIs(t, j.Intend(t.Context(), intent("b", 1)), ErrGone)
	require.ErrorIs(t, j.Health(), ErrGone)

	require.NoError(t, os.Rename(away, journalPath(dir)))
	require.NoError(t, j.Intend(t.Context(), intent("b", 1)), "back, it goes on")
	require.NoError(t, j.Health())
	require.EqualValues(t, 2, rows(t, j)["acts"])
}

// The file of a start that was killed before the tables were created counts as new.
func TestStartThatDidNotFinish(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(journalPath(dir), nil, 0o600))
	require.NoError(t, open(t, dir, Options{}).Close())

	dir = t.TempDir()
	db, err := sql.Open("sqlite", journalPath(dir))
	require.NoError(t, err)
	_, err = db.Exec(`PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL`)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	j := open(t, dir, Options{})
	require.NoError(t, j.Intend(t.Context(), intent("a", 1)))
}

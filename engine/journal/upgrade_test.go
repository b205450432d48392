package journal

import (
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// oldJournal is a file with an older schema.
func oldJournal(t *testing.T, schema int, rows ...string) string {
	t.Helper()
	dir := t.TempDir()
	db, err := sql.Open("sqlite", journalPath(dir))
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	steps := []string{`PRAGMA auto_vacuum = INCREMENTAL`, `PRAGMA journal_mode = WAL`}
	for _, step := range migrations[:schema] {
		steps = append(steps, step...)
	}
	steps = append(steps, fmt.Sprintf(`PRAGMA application_id = %d`, applicationID),
		`INSERT INTO meta VALUES ('epoch', '0123456789abcdef'), ('next', '1001'), ('opened', '3'), ('schema', '`+strconv.Itoa(schema)+`')`)
	for _, step := range append(steps, rows...) {
		_, err := db.Exec(step)
		require.NoError(t, err, step)
	}
	require.NoError(t, db.Close())
	return dir
}

// Rows of schemas 1 and 2: three waiting events for two agents, two handled ones, and a firing
// with a decision.
var oldRows = []string{
	`INSERT INTO inbox (seq, agent, source, id, body, handled) VALUES
		(1, 'a/x', 's', 'handled', NULL, 1772366400000000000),
		(2, 'a/x', 's', 'first', CAST('{"id":"first","source":"s","type":"asked","time":"2026-03-01T10:00:00.123456789+01:00","data":{"n":1}}' AS BLOB), NULL),
		(4, 'a/y', 's', 'first', CAST('{"id":"first","source":"s","type":"asked","time":"2026-03-01T09:00:00Z"}' AS BLOB), NULL),
		(7, 'a/x', 's', 'second', CAST('{"id":"second","source":"s","type":"asked","time":"0001-01-01T00:00:00Z"}' AS BLOB), NULL),
		(9, 'a/y', 's', 'handled long ago', NULL, 1740000000000000000)`,
	`INSERT INTO firings VALUES (1, '0123456789abcdef-1', 'a/x', 1772366400000000000, 1, 1, CAST('{"trigger":{"name":"tick","kind":"every"}}' AS BLOB))`,
	`INSERT INTO decisions VALUES (1048576, 'ns', 'server', 'serving.autoscale', 'scale', 'admitted', 'act-1', NULL, CAST('{"verdict":"admitted"}' AS BLOB))`,
	`INSERT INTO notes VALUES ('a/x', 'ns', 'server', 'Deployment', 's', CAST('"kept"' AS BLOB))`,
}

func TestUpgradeKeepsWhatIsThere(t *testing.T) {
	for schema := 1; schema < schemaVersion; schema++ {
		t.Run(fmt.Sprint("from schema ", schema), func(t *testing.T) {
			left := min(schema, 2) // the rows are of these; a later Scanflow brought them on
			rows := slices.Clone(oldRows)
			for at := left; at < schema; at++ {
				rows = append(append(rows, migrations[at]...), fmt.Sprintf(`UPDATE meta SET value = '%d' WHERE key = 'schema'`, at+1))
			}
			dir := oldJournal(t, left, rows...)
			_, err := OpenReader(t.Context(), dir)
			require.ErrorContains(t, err, "start the daemon on it once")
			clock := newClock()
			opts := Options{Clock: clock, InboxMost: 3}
			for range 2 { // the second start finds nothing to do
				j := open(t, dir, opts)
				checkUpgraded(t, j)
				require.NoError(t, j.Close())
			}
			j := open(t, dir, opts)
			require.Zero(t, put(t, j, "a/x", event("s", "handled"), event("s", "first"), event("s", "second")))
			require.Zero(t, put(t, j, "a/y", event("s", "handled long ago")))
			require.Equal(t, 1, put(t, j, "a/x", event("s", "third")))
			_, err = j.Enqueue(t.Context(), postings([]string{"a/x"}, nil, event("s", "fourth")))
			require.ErrorIs(t, err, engine.ErrFull, "those of before count")
			letters, err := j.Messages(t.Context(), "a/x", -1)
			require.NoError(t, err)
			require.Equal(t, "in-10", letters[2].ID, "behind all that were there")

			handle(t, j, "f-1", "a/x", engine.Event{ID: "first", Source: "s"})
			got, err := j.Inbox(t.Context(), "a/x", 1)
			require.NoError(t, err)
			require.Equal(t, "second", got[0].ID)
			clock.Pass(time.Hour)
			require.NoError(t, j.Prune(t.Context()))
			require.Equal(t, 1, put(t, j, "a/y", event("s", "handled long ago")), "the old handled names grow old as they did")
			soundCounts(t, j)
		})
	}
}

func checkUpgraded(t *testing.T, j *Journal) {
	t.Helper()
	got, err := j.Inbox(t.Context(), "a/x", -1)
	require.NoError(t, err)
	first := engine.Event{ID: "first", Source: "s", Type: "asked", Time: time.Date(2026, 3, 1, 9, 0, 0, 123456789, time.UTC), Data: map[string]any{"n": 1.0}}
	require.Empty(t, cmp.Diff([]engine.Event{first, {ID: "second", Source: "s", Type: "asked"}}, got))
	letters, err := j.Messages(t.Context(), "", -1)
	require.NoError(t, err)
	var since []string
	for _, l := range letters {
		since = append(since, l.ID+" "+l.Since.Format(time.DateTime))
	}
	require.Equal(t, []string{"in-7 0001-01-01 00:00:00", "in-2 2026-03-01 09:00:00", "in-4 2026-03-01 09:00:00"}, since)
	soundCounts(t, j)

	firings, err := reader(t, j).Firings(t.Context(), Filter{})
	require.NoError(t, err)
	require.Len(t, firings, 1)
	require.Equal(t, Verdicts{Admitted: 1, Refused: 1}, firings[0].Verdicts)
	decisions, err := reader(t, j).Decisions(t.Context(), Filter{})
	require.NoError(t, err)
	require.Equal(t, "0123456789abcdef-1/0", decisions[0].ID)
	memory, err := j.Remember(t.Context(), "a/x", day)
	require.NoError(t, err)
	require.Equal(t, "kept", memory.Notes[0].Value)
	next, err := j.NextFiring(t.Context())
	require.NoError(t, err)
	require.Regexp(t, "^0123456789abcdef-", next)
}

// An upgraded file and a new one have the same tables and indexes.
func TestUpgradedIsAsNew(t *testing.T) {
	schema := func(dir string) []string {
		j := open(t, dir, Options{})
		var out []string
		require.NoError(t, j.each(t.Context(), func(rows *sql.Rows) error {
			var line string
			err := rows.Scan(&line)
			out = append(out, line)
			return err
		}, `SELECT name || ' ' || tbl_name || ' ' || coalesce(sql, '') FROM sqlite_schema ORDER BY name`))
		return out
	}
	require.Equal(t, schema(t.TempDir()), schema(oldJournal(t, 2, oldRows...)))
}

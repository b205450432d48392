package journal

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

func TestOldRowsGoByThemselves(t *testing.T) {
	clock := newClock()
	dir := t.TempDir()
	j := open(t, dir, Options{Clock: clock, MaxAge: 24 * time.Hour, PruneEvery: time.Second})
	old := firingOf("old", day, 450) // more than one chunk
	shared := firingOf("new", day.Add(20*time.Hour), 2)
	shared.Decisions[0].Document = old.Decisions[0].Document
	old.Notes = []engine.Note{{Target: target(1), Strategy: "s", Value: "kept"}}
	old.Trigger.Event = &engine.Event{ID: "handled", Source: "s"}
	put(t, j, old.Agent, engine.Event{ID: "waits", Source: "s"})
	require.NoError(t, j.RecordFiring(t.Context(), old))
	require.NoError(t, j.RecordFiring(t.Context(), shared))
	require.NoError(t, j.SaveReadings(t.Context(), old.Agent, []byte("{}")))
	for i, id := range []string{"superseded", "open", "last"} {
		in := intent(id, 7) // all of one target and verb
		in.At = day.Add(time.Duration(i) * time.Minute)
		require.NoError(t, j.Intend(t.Context(), in))
	}
	conclude(t, j, "superseded", day.Add(time.Hour))
	conclude(t, j, "last", day.Add(time.Hour))
	before := rows(t, j)

	for range 3 { // 23 h 30 min: nothing is old enough
		pass(t, clock, 470*time.Minute)
	}
	require.Equal(t, before, rows(t, j))

	pass(t, clock, 2*time.Hour)
	eventually(t, func() bool { return rows(t, j)["inbox"] == 1 }) // the last thing that goes
	require.Equal(t, map[string]int64{
		"firings": 1, "decisions": 2, "documents": 2, "acts": 2, "notes": 1, "readings": 1, "inbox": 1, "outbox": 0, "approvals": 0, "meta": before["meta"],
	}, rows(t, j))
	got, err := reader(t, j).Decisions(t.Context(), Filter{})
	require.NoError(t, err)
	for _, row := range got {
		_, err := reader(t, j).Document(t.Context(), row.ID)
		require.NoError(t, err, "a document that a newer decision shares stays")
	}
	memory, err := j.Remember(t.Context(), "mlperf/planner", clock.Now())
	require.NoError(t, err)
	require.Len(t, memory.Acts, 2)
	require.Equal(t, "open", memory.Acts[0].Identity)
	require.Equal(t, "last", memory.Acts[1].Identity)
	inbox, err := j.Inbox(t.Context(), old.Agent, -1)
	require.NoError(t, err)
	require.Equal(t, "waits", inbox[0].ID)

	// These are never deleted.
	pass(t, clock, 10000*time.Hour)
	eventually(t, func() bool { return rows(t, j)["firings"] == 0 })
	require.NoError(t, j.Prune(t.Context()))
	require.Equal(t, map[string]int64{
		"firings": 0, "decisions": 0, "documents": 0, "acts": 2, "notes": 1, "readings": 1, "inbox": 1, "outbox": 0, "approvals": 0, "meta": before["meta"],
	}, rows(t, j))
}

// pass advances the time after the journal waits for its timer, until it waits again.
func pass(t *testing.T, clock *manualClock, d time.Duration) {
	t.Helper()
	eventually(t, func() bool { return clock.Sleepers() == 1 })
	clock.Pass(d)
	eventually(t, func() bool { return clock.Sleepers() == 1 })
}

func TestLargeJournalLosesItsOldestAndShrinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := open(t, dir, Options{Clock: newClock(), MaxBytes: 6 << 20})
	n, random := 0, rand.New(rand.NewPCG(1, 2))
	grow := func(bytes int64) {
		for used := int64(0); used < bytes; n++ {
			f := firingOf(fmt.Sprint("f-", n), day.Add(time.Duration(n)*time.Second), 4)
			for i := range f.Decisions { // large, and does not shrink
				raw := make([]byte, 30<<10)
				for at := range raw {
					raw[at] = byte(random.Uint32())
				}
				f.Decisions[i].Document = fmt.Appendf(nil, "%q", base64.StdEncoding.EncodeToString(raw))
			}
			require.NoError(t, j.RecordFiring(t.Context(), f))
			var err error
			used, _, err = j.pageUsage(t.Context())
			require.NoError(t, err)
		}
	}
	size := func() int64 {
		info, err := os.Stat(j.path)
		require.NoError(t, err)
		return info.Size()
	}
	grow(12 << 20)
	require.NoError(t, j.writer.store.exec(t.Context(), `PRAGMA wal_checkpoint(TRUNCATE)`)) // nobody else writes now
	require.Greater(t, size(), int64(12<<20))
	require.Greater(t, j.Size(), size())

	require.NoError(t, j.Prune(t.Context()))
	used, free, err := j.pageUsage(t.Context())
	require.NoError(t, err)
	require.LessOrEqual(t, used, int64(6<<20))
	require.Greater(t, used, int64(2<<20), "no more than it must")
	require.LessOrEqual(t, free, int64(keepFreePages))
	require.NoError(t, j.writer.store.exec(t.Context(), `PRAGMA wal_checkpoint(TRUNCATE)`))
	require.LessOrEqual(t, size(), int64(6<<20+keepFreePages*4096), "the file is shorter")

	left, err := reader(t, j).Firings(t.Context(), Filter{OldestFirst: true})
	require.NoError(t, err)
	require.Equal(t, fmt.Sprint("f-", n-1), left[len(left)-1].ID, "the newest stays")
	require.Equal(t, fmt.Sprint("f-", n-len(left)), left[0].ID, "the oldest went, without gaps")

	// Free pages are reused before the file grows.
	before := size()
	grow(used + 2<<20)
	require.NoError(t, j.writer.store.exec(t.Context(), `PRAGMA wal_checkpoint(TRUNCATE)`))
	require.LessOrEqual(t, size(), before+1<<20)
	require.NoError(t, j.Close())
}

// Rows that must not be deleted are kept, however large the journal is.
func TestNothingToDelete(t *testing.T) {
	j := open(t, t.TempDir(), Options{Clock: newClock(), MaxBytes: 1 << 10})
	for i := range 10 {
		require.NoError(t, j.Intend(t.Context(), intent(fmt.Sprint("old-", i), i)))
		conclude(t, j, fmt.Sprint("old-", i), day)
		require.NoError(t, j.Intend(t.Context(), intent(fmt.Sprint("open-", i), i)))
	}
	require.NoError(t, j.Prune(t.Context()))
	require.EqualValues(t, 10, rows(t, j)["acts"], "superseded ones went")
	require.NoError(t, j.Prune(t.Context()))
	require.EqualValues(t, 10, rows(t, j)["acts"])
	require.NoError(t, j.Health())
}

// A journal recovers from a fault by itself without writes of callers.
func TestHealsWithoutAWrite(t *testing.T) {
	clock := newClock()
	j := open(t, t.TempDir(), Options{Clock: clock})
	require.NoError(t, os.Rename(j.path, j.path+".away"))
	require.ErrorIs(t, j.RecordFiring(t.Context(), firingOf("f", day, 1)), ErrGone)
	pass(t, clock, retryInterval)
	require.ErrorIs(t, j.Health(), ErrGone)
	require.NoError(t, os.Rename(j.path+".away", j.path))
	pass(t, clock, retryInterval)
	require.NoError(t, j.Health())
}

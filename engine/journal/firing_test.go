package journal

import (
	"context"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

func TestQuietFiringIsOneRow(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	before := rows(t, j)
	f := firingOf("f-1", day, 0)
	f.Problems = []string{"sensor load: timed out"}
	require.NoError(t, j.RecordFiring(t.Context(), f))
	before["firings"]++
	require.Equal(t, before, rows(t, j))

	got, err := reader(t, j).Firings(t.Context(), Filter{})
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]Firing{{FiringRecord: f}}, got))
}

func TestFiringIsWrittenWhole(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	f := firingOf("f-1", day, 3)
	f.Decisions[1].Document = f.Decisions[0].Document // two proposals, one document
	f.Decisions[2].Verdict, f.Decisions[2].By, f.Decisions[2].Identity = engine.Refused, "guards.cooldown", ""
	f.Notes = []engine.Note{{Target: target(0), Strategy: "serving.autoscale", Value: map[string]any{"since": 3.0}}}
	require.NoError(t, j.RecordFiring(t.Context(), f))

	got, err := reader(t, j).Decisions(t.Context(), Filter{OldestFirst: true})
	require.NoError(t, err)
	require.Len(t, got, 3)
	for i, row := range got {
		want := f.Decisions[i]
		doc, err := reader(t, j).Document(t.Context(), row.ID)
		require.NoError(t, err)
		require.JSONEq(t, string(want.Document), string(doc))
		want.Document = nil
		require.Empty(t, cmp.Diff(want, row.Decision))
		require.Equal(t, []any{"f-1", f.Agent, f.At, f.Trigger, f.Revision}, []any{row.Firing, row.Agent, row.At, row.Trigger, row.Revision})
	}
	require.EqualValues(t, 2, rows(t, j)["documents"])

	// An equal document of a later firing is stored once.
	again := firingOf("f-2", day, 1)
	again.Decisions[0].Document = f.Decisions[0].Document
	require.NoError(t, j.RecordFiring(t.Context(), again))
	require.EqualValues(t, 2, rows(t, j)["documents"])

	memory, err := j.Remember(t.Context(), f.Agent, day)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(f.Notes, memory.Notes))
}

func TestVerdictsAreCounted(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	f := firingOf("f-1", day, 7)
	for i, v := range []engine.Verdict{engine.Admitted, engine.Refused, engine.Unchanged, engine.Waiting, engine.Waiting, engine.Unchanged, engine.Waiting} {
		f.Decisions[i].Verdict = v
	}
	require.NoError(t, j.RecordFiring(t.Context(), f))
	got, err := reader(t, j).Firings(t.Context(), Filter{})
	require.NoError(t, err)
	require.Equal(t, Verdicts{Admitted: 1, Refused: 1, Unchanged: 2, Waiting: 3}, got[0].Verdicts)
}

func TestNotesKeepTheLastValue(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	for i, value := range []any{"first", []any{1.0, nil}, nil} {
		f := firingOf("f-"+string(rune('a'+i)), day, 0)
		f.Notes = []engine.Note{{Target: target(0), Strategy: "s", Value: value}}
		require.NoError(t, j.RecordFiring(t.Context(), f))
	}
	memory, err := j.Remember(t.Context(), "mlperf/planner", day)
	require.NoError(t, err)
	require.Equal(t, []engine.Note{{Target: target(0), Strategy: "s", Value: []any{1.0, nil}}}, memory.Notes)
}

func TestBadFiringLeavesNothing(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	require.NoError(t, j.RecordFiring(t.Context(), firingOf("taken", day, 1)))
	for name, spoil := range map[string]func(*engine.FiringRecord){
		"an id twice":                 func(f *engine.FiringRecord) { f.ID = "taken" },
		"no id":                       func(f *engine.FiringRecord) { f.ID = "" },
		"no agent":                    func(f *engine.FiringRecord) { f.Agent = "" },
		"a document that is cut":      func(f *engine.FiringRecord) { f.Decisions[1].Document = []byte(`{"a":`) },
		"a parameter not in JSON":     func(f *engine.FiringRecord) { f.Decisions[1].With = map[string]any{"x": math.NaN()} },
		"a note not in JSON":          func(f *engine.FiringRecord) { f.Notes[0].Value = func() {} },
		"event data not in JSON":      func(f *engine.FiringRecord) { f.Trigger.Event.Data = make(chan int) },
		"a posting without an id":     func(f *engine.FiringRecord) { f.Envelopes[0].Event.ID = "" },
		"a posting not in JSON":       func(f *engine.FiringRecord) { f.Envelopes[0].Event.Data = math.Inf(1) },
		"an approval without a state": func(f *engine.FiringRecord) { f.Approvals[0].Approval.State = "" },
		"an approval too late":        func(f *engine.FiringRecord) { f.Approvals[0].From = engine.ApprovalApproved },
		"more decisions than fit":     func(f *engine.FiringRecord) { f.Decisions = make([]engine.Decision, 1<<decisionBits) },
		"one firing in two agents":    func(f *engine.FiringRecord) { f.ID, f.Agent = "taken", "other/agent" },
	} {
		t.Run(name, func(t *testing.T) {
			before := rows(t, j)
			f := firingOf("new", day, 2)
			f.Notes = []engine.Note{{Target: target(0), Strategy: "s", Value: 1.0}}
			f.Intents = []engine.Intent{intent("f-intent", 1)}
			f.Trigger.Event = &engine.Event{ID: "1", Source: "s"}
			f.Envelopes = postings([]string{"a/x"}, []engine.Destination{{URL: "http://elsewhere"}}, event("s", "notice"))
			f.Approvals = []engine.ApprovalChange{{Approval: approval("p-1")}}
			spoil(&f)
			require.Error(t, j.RecordFiring(t.Context(), f))
			require.Equal(t, before, rows(t, j))
			soundCounts(t, j)
			require.NoError(t, j.Health(), "a caller's mistake is no illness")
		})
	}
	require.ErrorIs(t, j.RecordFiring(t.Context(), firingOf("taken", day, 0)), ErrConflict)
}

func TestFiringIDsNeverRepeat(t *testing.T) {
	dir := t.TempDir()
	var mu sync.Mutex
	seen := map[string]bool{}
	epochs := map[string]bool{}
	for range 3 { // each start leaves a block unfinished
		j := open(t, dir, Options{})
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range firingIDBlock/3 + 1 {
					id, err := j.NextFiring(context.Background())
					mu.Lock()
					if err != nil || seen[id] {
						t.Errorf("id %q: repeated %v, %v", id, seen[id], err)
					}
					seen[id] = true
					epochs[strings.Split(id, "-")[0]] = true
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		require.NoError(t, j.Close())
	}
	require.Len(t, seen, 3*4*(firingIDBlock/3+1))
	require.Len(t, epochs, 1, "the epoch is the file's")

	other, err := open(t, t.TempDir(), Options{}).NextFiring(t.Context())
	require.NoError(t, err)
	require.False(t, epochs[strings.Split(other, "-")[0]], "another file has another epoch")
}

func TestReadings(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	got, err := j.LoadReadings(t.Context(), "a/b")
	require.NoError(t, err)
	require.Nil(t, got)
	require.NoError(t, j.SaveReadings(t.Context(), "a/b", []byte(`{"x":1}`)))
	require.NoError(t, j.SaveReadings(t.Context(), "a/c", []byte(`other`)))
	require.NoError(t, j.SaveReadings(t.Context(), "a/b", []byte(`{"x":2}`)))
	require.NoError(t, j.Close())

	got, err = open(t, dir, Options{}).LoadReadings(t.Context(), "a/b")
	require.NoError(t, err)
	require.Equal(t, `{"x":2}`, string(got))
}

func TestTimesAreKeptToTheNanosecond(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	at := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.FixedZone("CET", 3600))
	require.NoError(t, j.RecordFiring(t.Context(), firingOf("f", at, 0)))
	require.NoError(t, j.RecordFiring(t.Context(), firingOf("zero", time.Time{}, 0)))
	got, err := reader(t, j).Firings(t.Context(), Filter{OldestFirst: true})
	require.NoError(t, err)
	require.True(t, got[0].At.Equal(at))
	require.True(t, got[1].At.IsZero())
}

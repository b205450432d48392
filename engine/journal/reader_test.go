package journal

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// told is a journal with three firings.
func told(t *testing.T) (*Journal, string) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	for i := range 3 {
		f := firingOf(fmt.Sprint("f-", i), day.Add(time.Duration(i)*time.Minute), 2)
		switch i {
		case 1:
			f.Agent = "mlperf/other"
			f.Decisions[0].Target.Namespace = "elsewhere"
			f.Decisions[1].Strategy, f.Decisions[1].Primitive = "serving.failover", "traffic"
		case 2:
			f.Decisions[1].Verdict, f.Decisions[1].By, f.Decisions[1].Detail = engine.Refused, "guards.cooldown", "cools down"
			f.Decisions[1].Identity = ""
		}
		require.NoError(t, j.RecordFiring(t.Context(), f))
	}
	for _, identity := range []string{"f-0-0", "f-0-1"} {
		require.NoError(t, j.Intend(t.Context(), intent(identity, 0)))
	}
	conclude(t, j, "f-0-0", day.Add(time.Second))
	return j, dir
}

func TestDecisions(t *testing.T) {
	j, _ := told(t)
	for name, test := range map[string]struct {
		f    Filter
		want string
	}{
		"all":                {Filter{}, "f-2/1 f-2/0 f-1/1 f-1/0 f-0/1 f-0/0"},
		"oldest first":       {Filter{OldestFirst: true}, "f-0/0 f-0/1 f-1/0 f-1/1 f-2/0 f-2/1"},
		"a few":              {Filter{Limit: 3}, "f-2/1 f-2/0 f-1/1"},
		"agent":              {Filter{Agent: "mlperf/other"}, "f-1/1 f-1/0"},
		"target":             {Filter{Target: "mlperf/server-000"}, "f-2/0 f-0/0"},
		"name anywhere":      {Filter{Target: "server-000"}, "f-2/0 f-1/0 f-0/0"},
		"no such target":     {Filter{Target: "mlperf/server"}, ""},
		"strategy":           {Filter{Strategy: "serving.failover"}, "f-1/1"},
		"verb":               {Filter{Verb: "scale", Limit: 2}, "f-2/1 f-2/0"},
		"verdict":            {Filter{Verdict: engine.Refused}, "f-2/1"},
		"identity":           {Filter{Identity: "f-1-1"}, "f-1/1"},
		"done":               {Filter{Outcome: engine.Done}, "f-0/0"},
		"failed":             {Filter{Outcome: engine.Failed}, ""},
		"running":            {Filter{Outcome: engine.Running}, "f-0/1"},
		"after":              {Filter{After: 2<<decisionBits | 1}, "f-2/1 f-2/0"},
		"after, oldest":      {Filter{After: 2 << decisionBits, OldestFirst: true, Limit: 2}, "f-1/1 f-2/0"},
		"before":             {Filter{Before: 2 << decisionBits}, "f-0/1 f-0/0"},
		"since":              {Filter{Since: day.Add(time.Minute)}, "f-2/1 f-2/0 f-1/1 f-1/0"},
		"until":              {Filter{Until: day.Add(time.Minute)}, "f-0/1 f-0/0"},
		"between":            {Filter{Since: day.Add(time.Second), Until: day.Add(2 * time.Minute), OldestFirst: true}, "f-1/0 f-1/1"},
		"after all":          {Filter{Since: day.Add(time.Hour)}, ""},
		"everything at odds": {Filter{Agent: "mlperf/other", Verdict: engine.Refused}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := reader(t, j).Decisions(t.Context(), test.f)
			require.NoError(t, err)
			ids := []string{}
			for _, row := range got {
				ids = append(ids, row.ID)
			}
			require.Equal(t, test.want, strings.Join(ids, " "))
		})
	}
}

func TestRowAsJSON(t *testing.T) {
	j, _ := told(t)
	line := func(f Filter) string {
		got, err := reader(t, j).Decisions(t.Context(), f)
		require.NoError(t, err)
		require.Len(t, got, 1)
		raw, err := json.Marshal(got[0])
		require.NoError(t, err)
		require.NotContains(t, string(raw), "\n")
		return string(raw)
	}
	require.JSONEq(t, `{"id":"f-0/0","seq":1048576,"at":"2026-03-01T12:00:00Z","agent":"mlperf/planner","firing":"f-0",
		"trigger":{"name":"tick","kind":"every"},"revision":"9f86d081884c7d65","policy":{"age_ns":0,"refused":false,"successes":0,"failures":0},
		"target":{"kind":"Deployment","namespace":"mlperf","name":"server-000"},"strategy":"serving.autoscale","primitive":"scale",
		"with":{"replicas":4},"priority":10,"reason":"load_high","because":["requests_per_second"],"rules":["Scale up"],
		"verdict":"admitted","identity":"f-0-0","diff":"replicas 1 -> 4","outcome":{"status":"done","detail":"4 ready"},
		"ended_at":"2026-03-01T12:00:01Z"}`, line(Filter{Identity: "f-0-0"}))
	require.Contains(t, line(Filter{Identity: "f-0-1"}), `"outcome":{"status":"running"}`)
	require.NotContains(t, line(Filter{Verdict: engine.Refused}), `"outcome"`)
}

func TestFirings(t *testing.T) {
	j, _ := told(t)
	got, err := reader(t, j).Firings(t.Context(), Filter{Agent: "mlperf/planner", Limit: 1})
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.Equal(t, []any{"f-2", 1, 1, 100}, []any{got[0].ID, got[0].Admitted, got[0].Refused, got[0].Targets})
	got, err = reader(t, j).Firings(t.Context(), Filter{Since: day.Add(time.Minute), OldestFirst: true})
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.Equal(t, "f-1", got[0].ID)
	_, err = reader(t, j).Firings(t.Context(), Filter{Target: "x"})
	require.Error(t, err, "a filter that would be ignored is refused")
}

func TestDecisionByID(t *testing.T) {
	j, _ := told(t)
	r := reader(t, j)
	for _, id := range []string{"f-1/1", "1/1"} {
		row, err := r.Decision(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, "f-1/1", row.ID)
		require.Equal(t, ShortID(row.ID), "1/1")
	}
	full, err := r.Document(t.Context(), "f-2/0")
	require.NoError(t, err)
	short, err := r.Document(t.Context(), "2/0")
	require.NoError(t, err)
	require.Equal(t, full, short)
	for _, id := range []string{"2/7", "f-7/0", "7/0"} {
		_, err := r.Decision(t.Context(), id)
		require.ErrorIs(t, err, ErrNotFound, id)
	}
	for _, id := range []string{"", "2", "/0", "f-2/", "2/x", "f-2/1048576"} {
		_, err := r.Decision(t.Context(), id)
		require.ErrorContains(t, err, "an id is FIRING/NUMBER", id)
	}
	require.NoError(t, j.RecordFiring(t.Context(), firingOf("g-2", day, 1)))
	_, err = r.Decision(t.Context(), "2/0")
	require.ErrorContains(t, err, "write one of f-2/0, g-2/0")
}

func TestNames(t *testing.T) {
	j, _ := told(t)
	names, err := reader(t, j).Names(t.Context())
	require.NoError(t, err)
	require.Equal(t, Names{
		Agents: []string{"mlperf/other", "mlperf/planner"}, Targets: []string{"elsewhere/server-000", "mlperf/server-000", "mlperf/server-001"},
		Strategies: []string{"serving.autoscale", "serving.failover"}, Verbs: []string{"scale", "traffic"},
		IDs: []string{"f-2/1", "f-2/0", "f-1/1", "f-1/0", "f-0/1", "f-0/0"},
	}, names)
	empty, err := reader(t, open(t, t.TempDir(), Options{})).Names(t.Context())
	require.NoError(t, err)
	require.Equal(t, Names{Agents: []string{}, Targets: []string{}, Strategies: []string{}, Verbs: []string{}, IDs: []string{}}, empty)
}

func TestDocumentNotThere(t *testing.T) {
	j, _ := told(t)
	f := firingOf("bare", day, 1)
	f.Decisions[0].Document = nil
	require.NoError(t, j.RecordFiring(t.Context(), f))
	for id, known := range map[string]bool{"f-0/7": true, "nobody/0": true, "bare/0": true, "f-0": false, "f-0/x": false, "f-0/-1": false, "f-0/1048576": false, "": false} {
		_, err := reader(t, j).Document(t.Context(), id)
		require.Error(t, err, id)
		if known {
			require.ErrorIs(t, err, ErrNotFound, id)
		}
	}
}

func TestPagesOfALongAnswer(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	const n = 2*pageSize + 7
	require.NoError(t, j.RecordFiring(t.Context(), firingOf("long", day, n)))
	for _, f := range []Filter{{}, {OldestFirst: true}, {Limit: pageSize + 1}, {Limit: pageSize}, {Limit: n + 5}} {
		got, err := reader(t, j).Decisions(t.Context(), f)
		require.NoError(t, err)
		want := n
		if f.Limit > 0 {
			want = min(n, f.Limit)
		}
		require.Len(t, got, want)
		seen := map[string]bool{}
		for _, row := range got {
			seen[row.ID] = true
		}
		require.Len(t, seen, want)
	}
	count := 0
	for _, err := range reader(t, j).EachDecision(t.Context(), Filter{}) {
		require.NoError(t, err)
		if count++; count == pageSize+3 {
			break
		}
	}
	require.Equal(t, pageSize+3, count)
}

// The command line reads while a daemon runs, after it, and from a copy, and changes nothing.
func TestReadingMakesNothing(t *testing.T) {
	j, dir := told(t)
	read := func(t *testing.T, dir string, want int64) {
		t.Helper()
		before := listing(t, dir)
		r, err := OpenReader(t.Context(), dir)
		require.NoError(t, err)
		s, err := r.Stats(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, s.Firings)
		require.EqualValues(t, 6, s.Decisions)
		require.EqualValues(t, 2, s.Acts)
		require.EqualValues(t, 1, s.OpenActs)
		_, err = r.db.ExecContext(t.Context(), `DELETE FROM acts`)
		require.Error(t, err)
		require.NoError(t, r.Close())
		require.Equal(t, before, listing(t, dir))
	}
	read(t, dir, 3)

	// A reader that was open before sees new writes of a daemon.
	r, err := OpenReader(t.Context(), dir)
	require.NoError(t, err)
	require.NoError(t, j.RecordFiring(t.Context(), firingOf("later", day, 0)))
	s, err := r.Stats(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 4, s.Firings)
	require.NoError(t, r.Close())

	require.NoError(t, j.Close())
	read(t, dir, 4)

	copied := t.TempDir()
	raw, err := os.ReadFile(journalPath(dir))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(journalPath(copied), raw, 0o400))
	read(t, copied, 4)
}

func TestNoJournalToRead(t *testing.T) {
	dir := t.TempDir()
	_, err := OpenReader(t.Context(), dir)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, dir)
	require.Empty(t, listing(t, dir))
	_, err = OpenReader(t.Context(), filepath.Join(dir, "nowhere"))
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.WriteFile(journalPath(dir), nil, 0o600))
	_, err = OpenReader(t.Context(), journalPath(dir)) // no folder
	require.ErrorContains(t, err, "can't be read: ")
	_, err = OpenReader(t.Context(), dir)
	require.ErrorIs(t, err, ErrCorrupt)
	require.NoError(t, os.WriteFile(journalPath(dir), []byte(strings.Repeat("no database ", 1000)), 0o600))
	_, err = OpenReader(t.Context(), dir)
	require.ErrorIs(t, err, ErrCorrupt)
}

// If the index of the log is missing (an incomplete copy), the newest rows could not be read.
// That is an error.
func TestHalfACopy(t *testing.T) {
	j, dir := told(t)
	half := t.TempDir()
	for _, name := range []string{fileName, fileName + "-wal"} {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(half, name), raw, 0o600))
	}
	require.NoError(t, j.Close())
	before := listing(t, half)
	_, err := OpenReader(t.Context(), half)
	require.ErrorContains(t, err, fileName+"-shm")
	require.Equal(t, before, listing(t, half))
	require.EqualValues(t, 3, rows(t, open(t, half, Options{}))["firings"], "a daemon makes it whole")
}

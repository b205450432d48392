package journal

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scanflow-k8s/scanflow/engine"
)

// model is a simple in-memory model of a journal.
type model struct {
	acts    []engine.Act
	inbox   []engine.Event
	handled map[string]bool
	firings []string
}

func (m *model) find(identity string) int {
	return slices.IndexFunc(m.acts, func(a engine.Act) bool { return a.Identity == identity })
}

// remember returns the acts that an agent remembers by the contract.
func (m *model) remember(since time.Time) []engine.Act {
	type key struct {
		target         engine.TargetID
		strategy, verb string
	}
	last := map[key]string{}
	for _, a := range m.acts {
		last[key{a.Target.ID(), a.Strategy, a.Primitive}] = a.Identity
	}
	var out []engine.Act
	for _, a := range m.acts {
		running := a.Outcome.Status == engine.Running
		if running || !a.At.Before(since) || !a.EndedAt.Before(since) || last[key{a.Target.ID(), a.Strategy, a.Primitive}] == a.Identity {
			out = append(out, a)
		}
	}
	slices.SortStableFunc(out, func(a, b engine.Act) int { return a.At.Compare(b.At) })
	return out
}

// TestAgainstAModel performs random operations on a journal, including restarts and pruning,
// and compares it with a model after each.
func TestAgainstAModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		ctx := context.Background()
		dir, err := os.MkdirTemp(t.TempDir(), "")
		require.NoError(rt, err)
		opts := Options{Clock: newClock(), PruneEvery: 1000 * time.Hour, MaxAge: time.Hour}
		j, err := Open(ctx, dir, opts)
		require.NoError(rt, err)
		m := model{handled: map[string]bool{}}
		names := rapid.IntRange(0, 5)
		minutes := rapid.IntRange(-30, 30) // younger than MaxAge, so nothing that the model knows goes
		for range rapid.IntRange(1, 6).Draw(rt, "steps") {
			id := fmt.Sprint("x", names.Draw(rt, "name"))
			switch rapid.IntRange(0, 5).Draw(rt, "op") {
			case 0, 1:
				in := intent(id, names.Draw(rt, "target")%2)
				in.At = day.Add(time.Duration(minutes.Draw(rt, "at")) * time.Minute)
				err := j.Intend(ctx, in)
				switch i := m.find(id); {
				case i < 0:
					require.NoError(rt, err)
					m.acts = append(m.acts, engine.Act{Intent: remembered(in), Outcome: engine.Outcome{Status: engine.Running}})
				case m.acts[i].Target.ID() == in.Target.ID():
					require.NoError(rt, err)
				default:
					require.ErrorIs(rt, err, ErrConflict)
				}
			case 2:
				outcome := engine.Outcome{Status: rapid.SampledFrom([]engine.Status{engine.Done, engine.Failed}).Draw(rt, "status")}
				at := day.Add(time.Duration(minutes.Draw(rt, "ended")) * time.Minute)
				err := j.Conclude(ctx, engine.Conclusion{Identity: id, Outcome: outcome, At: at})
				switch i := m.find(id); {
				case i < 0:
					require.ErrorIs(rt, err, ErrNotFound)
				case m.acts[i].Outcome.Status == engine.Running:
					require.NoError(rt, err)
					m.acts[i].Outcome, m.acts[i].EndedAt = outcome, at
				case m.acts[i].Outcome == outcome:
					require.NoError(rt, err)
				default:
					require.ErrorIs(rt, err, ErrConflict)
				}
			case 3:
				e := engine.Event{ID: id, Source: "s", Time: day}
				fresh, err := j.Enqueue(ctx, postings([]string{"mlperf/planner"}, nil, e))
				require.NoError(rt, err)
				known := m.handled[id] || slices.ContainsFunc(m.inbox, func(e engine.Event) bool { return e.ID == id })
				require.Equal(rt, !known, fresh == 1)
				if fresh == 1 {
					m.inbox = append(m.inbox, e)
				}
			case 4:
				f := firingOf("f-"+id, day, names.Draw(rt, "decisions")%2)
				f.Trigger.Event = &engine.Event{ID: id, Source: "s"}
				err := j.RecordFiring(ctx, f)
				if slices.Contains(m.firings, f.ID) {
					require.ErrorIs(rt, err, ErrConflict)
					break
				}
				require.NoError(rt, err)
				m.firings, m.handled[id] = append(m.firings, f.ID), true
				m.inbox = slices.DeleteFunc(m.inbox, func(e engine.Event) bool { return e.ID == id })
			case 5:
				if rapid.Bool().Draw(rt, "prune") {
					require.NoError(rt, j.Prune(ctx))
					break
				}
				require.NoError(rt, j.Close())
				j, err = Open(ctx, dir, opts)
				require.NoError(rt, err)
			}
			m.compare(rt, ctx, j, day.Add(time.Duration(minutes.Draw(rt, "since"))*time.Minute))
		}
		require.NoError(rt, j.Close())
		require.NoError(rt, os.RemoveAll(dir))
	})
}

func (m *model) compare(rt *rapid.T, ctx context.Context, j *Journal, since time.Time) {
	memory, err := j.Remember(ctx, "mlperf/planner", since)
	require.NoError(rt, err)
	require.Empty(rt, cmp.Diff(m.remember(since), memory.Acts))
	open, err := j.Open(ctx, "mlperf/planner")
	require.NoError(rt, err)
	var running []engine.Intent
	for _, a := range m.acts {
		if a.Outcome.Status == engine.Running {
			running = append(running, a.Intent)
		}
	}
	require.Equal(rt, len(running), len(open))
	for i := range running {
		require.Empty(rt, cmp.Diff(running[i], open[i]))
	}
	inbox, err := j.Inbox(ctx, "mlperf/planner", -1)
	require.NoError(rt, err)
	require.Empty(rt, cmp.Diff(m.inbox, append([]engine.Event(nil), inbox...), cmp.Transformer("empty", func(e []engine.Event) int { return len(e) })))
	for i := range inbox {
		require.Equal(rt, m.inbox[i], inbox[i])
	}
}

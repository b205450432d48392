package journal

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// remembered is an intent as the journal returns it: with the stored part of the proposal.
func remembered(in engine.Intent) engine.Intent {
	in.Proposal = engine.Proposal{
		Agent: in.Agent, Target: in.Target.ID().Target(),
		Strategy: in.Strategy, Primitive: in.Primitive, With: in.With, Identity: in.Identity,
	}
	return in
}

func TestIntentsStayOpenUntilConcluded(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	a, b, other := intent("a", 1), intent("b", 2), intent("c", 3)
	b.DryRun, b.With, b.Claim, b.Direction = true, map[string]any{"body": map[string]any{"text": "<&>\u2028", "n": []any{nil, true, 1.5}}}, "", ""
	b.Irreproducible = true
	other.Agent = "mlperf/other"
	for _, in := range []engine.Intent{a, b, other} {
		require.NoError(t, j.Intend(t.Context(), in))
	}
	require.NoError(t, j.Close())
	j = open(t, dir, Options{})

	got, err := j.Open(t.Context(), "mlperf/planner")
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]engine.Intent{remembered(a), remembered(b)}, got))

	conclude(t, j, "a", day.Add(time.Minute))
	got, err = j.Open(t.Context(), "mlperf/planner")
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]engine.Intent{remembered(b)}, got))

	for range 2 {
		require.NoError(t, j.Began(t.Context(), "b"))
	}
	require.ErrorIs(t, j.Began(t.Context(), "nobody's"), ErrNotFound)
	require.NoError(t, j.Close())
	j = open(t, dir, Options{})
	got, err = j.Open(t.Context(), "mlperf/planner")
	require.NoError(t, err)
	b.Begun = true
	require.Empty(t, cmp.Diff([]engine.Intent{remembered(b)}, got))
	conclude(t, j, "b", day.Add(time.Minute))
	require.NoError(t, j.Began(t.Context(), "b"), "too late, and no harm")
	r, err := j.Remember(t.Context(), "mlperf/planner", day)
	require.NoError(t, err)
	for _, act := range r.Acts {
		require.Equal(t, engine.Done, act.Outcome.Status)
		require.Equal(t, "4 ready", act.Outcome.Detail)
		require.False(t, act.Begun, "it has ended")
	}
}

func TestIntendTwice(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	in := intent("a", 1)
	require.NoError(t, j.Intend(t.Context(), in))
	require.NoError(t, j.Intend(t.Context(), in))
	later := in
	later.At = in.At.Add(time.Second)
	require.NoError(t, j.Intend(t.Context(), later), "a retry has another time")
	for name, change := range map[string]func(*engine.Intent){
		"agent":  func(in *engine.Intent) { in.Agent = "x/y" },
		"target": func(in *engine.Intent) { in.Target.Name = "x" },
		"verb":   func(in *engine.Intent) { in.Primitive = "restart" },
		"with":   func(in *engine.Intent) { in.With = map[string]any{"replicas": 5.0} },
		"firing": func(in *engine.Intent) { in.Firing = "f-2" },
		"diff":   func(in *engine.Intent) { in.Change.Diff = "replicas 1 -> 5" },
	} {
		other := in
		change(&other)
		require.ErrorIs(t, j.Intend(t.Context(), other), ErrConflict, name)
	}
	require.Error(t, j.Intend(t.Context(), engine.Intent{
		Change: engine.Change{Proposal: engine.Proposal{Agent: "x/y"}},
	}))
	require.Error(t, j.Intend(t.Context(), engine.Intent{
		Change: engine.Change{Proposal: engine.Proposal{Identity: "x"}},
	}))
	require.EqualValues(t, 1, rows(t, j)["acts"])
}

func TestConclude(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	require.NoError(t, j.Intend(t.Context(), intent("a", 1)))
	done := engine.Conclusion{Identity: "a", Outcome: engine.Outcome{Status: engine.Done}, At: day}
	with := func(change func(*engine.Conclusion)) engine.Conclusion {
		c := done
		change(&c)
		return c
	}
	for _, step := range []struct {
		name string
		c    engine.Conclusion
		want error
		any  bool
	}{
		{name: "running is none", c: with(func(c *engine.Conclusion) { c.Outcome.Status = engine.Running }), any: true},
		{name: "nothing is none", c: with(func(c *engine.Conclusion) { c.Outcome.Status = "" }), any: true},
		{name: "never intended", c: with(func(c *engine.Conclusion) { c.Identity = "nobody" }), want: ErrNotFound},
		{name: "first", c: done},
		{name: "again", c: done},
		{name: "otherwise", c: with(func(c *engine.Conclusion) { c.Outcome.Status = engine.Failed }), want: ErrConflict},
	} {
		err := j.Conclude(t.Context(), step.c)
		switch {
		case step.any:
			require.Error(t, err, step.name)
		case step.want != nil:
			require.ErrorIs(t, err, step.want, step.name)
		default:
			require.NoError(t, err, step.name)
		}
	}
	require.NoError(t, j.Health())
}

func TestRemember(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	write := func(id string, n int, at time.Duration, change func(*engine.Intent)) engine.Intent {
		in := intent(id, n)
		in.At = day.Add(at)
		if change != nil {
			change(&in)
		}
		require.NoError(t, j.Intend(t.Context(), in))
		return in
	}
	old := write("old", 1, 0, nil)
	conclude(t, j, "old", day.Add(time.Minute))
	write("older", 2, -time.Hour, nil) // superseded by long, ended before since
	conclude(t, j, "older", day.Add(-time.Hour))
	long := write("long", 2, -30*time.Minute, nil) // began before since, ended after
	conclude(t, j, "long", day.Add(3*time.Hour))
	last := write("last", 2, 0, nil)
	conclude(t, j, "last", day)
	verb := write("verb", 2, 0, func(in *engine.Intent) { in.Primitive = "restart" })
	conclude(t, j, "verb", day)
	write("stranger", 2, 0, func(in *engine.Intent) { in.Agent = "x/y" })
	running := write("running", 3, -2*time.Hour, nil)
	recent := write("recent", 3, 2*time.Hour, nil)
	conclude(t, j, "recent", day.Add(2*time.Hour))
	require.NoError(t, j.Close())

	j = open(t, dir, Options{})
	got, err := j.Remember(t.Context(), "mlperf/planner", day.Add(time.Hour))
	require.NoError(t, err)
	done := engine.Outcome{Status: engine.Done, Detail: "4 ready"}
	require.Empty(t, cmp.Diff(engine.Recollection{Acts: []engine.Act{
		{Intent: remembered(running), Outcome: engine.Outcome{Status: engine.Running}},
		{Intent: remembered(long), Outcome: done, EndedAt: day.Add(3 * time.Hour)},
		{Intent: remembered(old), Outcome: done, EndedAt: day.Add(time.Minute)},
		{Intent: remembered(last), Outcome: done, EndedAt: day},
		{Intent: remembered(verb), Outcome: done, EndedAt: day},
		{Intent: remembered(recent), Outcome: done, EndedAt: day.Add(2 * time.Hour)},
	}}, got))
}

// The last applied act is remembered, whatever was tried and not applied after it: an actuator
// uses it to recognize its own value.
func TestRememberWhatWasApplied(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	done := engine.Outcome{Status: engine.Done, Applied: true}
	failed := engine.Outcome{Status: engine.Failed, Detail: "forbidden"}
	for i, out := range []engine.Outcome{done, done, failed, failed} {
		in := intent(string(rune('a'+i)), 1)
		in.At = day.Add(time.Duration(i) * time.Minute)
		require.NoError(t, j.Intend(t.Context(), in))
		require.NoError(t, j.Conclude(t.Context(), engine.Conclusion{Identity: in.Identity, Outcome: out, At: in.At}))
	}
	_, err := j.pruneBefore(t.Context(), day.Add(500*time.Hour).UnixNano())
	require.NoError(t, err)
	got, err := j.Remember(t.Context(), "mlperf/planner", day.Add(time.Hour))
	require.NoError(t, err)
	require.Len(t, got.Acts, 2)
	require.Equal(t, "b", got.Acts[0].Identity)
	require.True(t, got.Acts[0].Outcome.Applied)
	require.Equal(t, "d", got.Acts[1].Identity)
	require.False(t, got.Acts[1].Outcome.Applied)
}

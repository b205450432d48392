package claim

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

var web = engine.TargetID{Kind: "Deployment", Namespace: "ns", Name: "web"}

const hold = 5 * time.Minute

// scaled is an act of an agent that wrote the replicas.
func scaled(agent, identity string, d engine.Direction) *engine.Intent {
	in := intentOf(Key{Target: web, Claim: "replicas", Agent: agent, Strategy: "s", Verb: "scale", Identity: identity})
	in.Direction, in.Diff = d, "replicas 1 -> 7"
	if d == engine.Down {
		in.Diff = "replicas 7 -> 1"
	}
	return in
}

// do has an act begin and end.
func do(t *testing.T, c *Table, in *engine.Intent, priority int, end End) {
	t.Helper()
	k := Of(in)
	k.Priority = priority
	_, held := c.Take(k, end.At)
	require.Nil(t, held)
	c.Release(in, end, end.At)
}

// asks returns the key of another act.
func asks(agent string, priority int) Key {
	return Key{Target: web, Claim: "replicas", Agent: agent, Verb: "scale", Identity: "next", Priority: priority}
}

func TestWhatAnAgentWroteIsHeld(t *testing.T) {
	wrote := End{At: epoch, Applied: true, Hold: hold}
	for name, row := range map[string]struct {
		end      End
		by       Key
		after    time.Duration
		heldTill time.Duration // 0: free
	}{
		"another agent":                       {wrote, asks("ns/b", 0), 0, hold},
		"another agent, at the end":           {wrote, asks("ns/b", 0), hold - 1, hold},
		"another agent, after the end":        {wrote, asks("ns/b", 0), hold, 0},
		"the agent itself":                    {wrote, asks("ns/a", 0), 0, 0},
		"a higher priority":                   {wrote, asks("ns/b", 11), 0, 0},
		"an equal priority":                   {wrote, asks("ns/b", 10), 0, hold},
		"a lower priority":                    {wrote, asks("ns/b", -1), 0, hold},
		"the cooldown is longer":              {End{At: epoch, Applied: true, Cooldown: time.Hour, Hold: hold}, asks("ns/b", 0), hold, time.Hour},
		"the hold is longer":                  {End{At: epoch, Applied: true, Cooldown: time.Second, Hold: hold}, asks("ns/b", 0), time.Second, hold},
		"no hold":                             {End{At: epoch, Applied: true}, asks("ns/b", 0), 0, 0},
		"nothing was applied":                 {End{At: epoch, Hold: hold}, asks("ns/b", 0), 0, 0},
		"nothing was applied, and it cools":   {End{At: epoch, Hold: hold, Cooldown: time.Second}, asks("ns/b", 0), 0, time.Second},
		"a higher priority than the cooldown": {End{At: epoch, Applied: true, Cooldown: time.Hour}, asks("ns/b", 11), 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := NewTable()
			do(t, c, scaled("ns/a", "1", engine.Up), 10, row.end)
			h := c.Free(row.by, epoch.Add(row.after))
			_, taken := c.Take(row.by, epoch.Add(row.after))
			require.Equal(t, h, taken, "who may take it is told so before")
			if row.heldTill == 0 {
				require.Nil(t, h)
				return
			}
			require.NotNil(t, h)
			require.Equal(t, epoch.Add(row.heldTill), h.Until)
		})
	}
}

func TestARunningActIsNotWrittenOver(t *testing.T) {
	c := NewTable()
	_, held := c.Take(Of(scaled("ns/a", "1", engine.Up)), epoch)
	require.Nil(t, held)
	require.Equal(t, "replicas is held by scale of ns/a (running)", c.Free(asks("ns/b", 1000), epoch).Explain(asks("ns/b", 1000)))
}

// The refusal says who, what, when, until when, and what to change.
func TestARefusalNamesBothAgents(t *testing.T) {
	c := NewTable()
	do(t, c, scaled("ns/a", "1", engine.Up), 3, End{At: epoch, Applied: true, Hold: hold})
	by := asks("ns/b", 3)
	require.Equal(t, "replicas is held by scale of ns/a (held until 2026-03-01T12:05:00Z); at 2026-03-01T12:00:00Z it wrote replicas 1 -> 7; "+
		"ns/b may write it then, or before if its spec.priority (3) is above that of ns/a (3); spec.guards.hold of ns/a is how long it is held", c.Free(by, epoch).Explain(by))
	bare := scaled("ns/a", "2", engine.Up)
	bare.Diff, bare.With = "", map[string]any{"replicas": 7.0}
	do(t, c, bare, 3, End{At: epoch, Applied: true, Cooldown: hold})
	require.Equal(t, "replicas is held by scale of ns/a (cooling until 2026-03-01T12:05:00Z); at 2026-03-01T12:00:00Z it wrote scale {\"replicas\":7}; "+
		"ns/b may write it then, or before if its spec.priority (3) is above that of ns/a (3)", c.Free(by, epoch).Explain(by))
}

// What a claim says of a change is bounded, and has no contents of applied objects, of which an
// act that was recalled has the parameters only.
func TestTheChangeOfAClaimIsBounded(t *testing.T) {
	long := strings.Repeat("x", 100<<10)
	for name, row := range map[string]struct {
		verb, diff string
		with       map[string]any
		want       string
	}{
		"a diff":                     {"apply", "ConfigMap ns/c: data.a 1 -> 2", map[string]any{"manifest": long}, "ConfigMap ns/c: data.a 1 -> 2"},
		"a long diff":                {"apply", long, nil, engine.Clip(long)},
		"no diff":                    {"apply", "", map[string]any{"manifest": long, "objects": []any{map[string]any{"data": "secret"}}}, "apply"},
		"no diff, no parameters":     {"restart", "", nil, "restart"},
		"no diff, replicas":          {"scale", "", map[string]any{"replicas": 7.0}, `scale {"replicas":7}`},
		"no diff, replicas and more": {"serve", "", map[string]any{"replicas": 7.0, "image": long}, `serve {"replicas":7}`},
		"replicas that are a text":   {"apply", "", map[string]any{"replicas": long}, "apply"},
	} {
		t.Run(name, func(t *testing.T) {
			in := scaled("ns/a", "1", "")
			in.Primitive, in.Diff, in.With = row.verb, row.diff, row.with
			released, recalled, end := NewTable(), NewTable(), End{At: epoch, Applied: true, Hold: hold}
			do(t, released, in, 0, end)
			recalled.Recall(in, 0, end, epoch)
			for _, c := range []*Table{released, recalled} {
				claims := c.List(epoch, func(string) time.Duration { return 0 })
				require.Len(t, claims, 1)
				require.Equal(t, row.want, claims[0].Change)
				require.Contains(t, c.Free(asks("ns/b", 0), epoch).Explain(asks("ns/b", 0)), " it wrote "+row.want+"; ")
				require.Less(t, len(claims[0].Change), 2*engine.TextMost)
			}
		})
	}
}

// An act that wrote nothing leaves what the agent wrote before as it was.
func TestAnActThatWroteNothingKeepsTheHoldBefore(t *testing.T) {
	for name, end := range map[string]End{"failed": {Hold: hold}, "failed, and cools": {Hold: hold, Cooldown: time.Minute}} {
		t.Run(name, func(t *testing.T) {
			c := NewTable()
			do(t, c, scaled("ns/a", "1", engine.Up), 0, End{At: epoch, Applied: true, Hold: hold})
			end.At = epoch.Add(time.Minute)
			do(t, c, scaled("ns/a", "2", engine.Up), 0, end)
			do(t, c, scaled("ns/a", "3", engine.Up), 0, end)
			h := c.Free(asks("ns/b", 0), end.At)
			require.NotNil(t, h)
			require.Equal(t, epoch.Add(hold), h.Until)
			require.Nil(t, c.Free(asks("ns/b", 0), epoch.Add(hold)))
			require.NotNil(t, c.Reversal(asks("ns/b", 0), engine.Down, epoch.Add(hold)))
		})
	}
	c := NewTable()
	do(t, c, scaled("ns/a", "1", engine.Up), 0, End{At: epoch, Applied: true, Hold: time.Minute})
	do(t, c, scaled("ns/a", "2", engine.Up), 0, End{At: epoch.Add(time.Minute), Hold: hold, Cooldown: 2 * time.Minute})
	require.NotNil(t, c.Free(asks("ns/b", 0), epoch.Add(2*time.Minute)), "the cooldown of the failed act is the longer")
	require.Nil(t, c.Free(asks("ns/b", 0), epoch.Add(3*time.Minute)))
	require.Equal(t, "ns/a", c.Reversal(asks("ns/b", 0), engine.Down, epoch.Add(9*time.Minute)).Agent, "what it wrote is remembered behind it")
	require.Nil(t, c.Reversal(asks("ns/b", 0), engine.Down, epoch.Add(10*time.Minute)))
	require.Empty(t, c.by)
}

func TestAReversalIsOfAnotherAgentInTheOtherDirection(t *testing.T) {
	c := NewTable()
	do(t, c, scaled("ns/a", "1", engine.Up), 0, End{At: epoch, Applied: true, Hold: hold})
	for name, row := range map[string]struct {
		by    string
		d     engine.Direction
		after time.Duration
		want  bool
	}{
		"back":             {"ns/b", engine.Down, time.Second, true},
		"late":             {"ns/b", engine.Down, engine.ReversalWindow - 1, true},
		"on":               {"ns/b", engine.Up, time.Second, false},
		"the agent itself": {"ns/a", engine.Down, time.Second, false},
		"no direction":     {"ns/b", "", time.Second, false},
	} {
		require.Equal(t, row.want, c.Reversal(asks(row.by, 0), row.d, epoch.Add(row.after)) != nil, name)
	}
	found := c.Reversal(asks("ns/b", 0), engine.Down, epoch.Add(40*time.Second))
	require.Equal(t, "reverses replicas 1 -> 7 by ns/a, 40s ago", found.Explain(epoch.Add(40*time.Second)))
	require.Nil(t, c.Reversal(asks("ns/b", 0), engine.Down, epoch.Add(engine.ReversalWindow)))

	do(t, c, scaled("ns/a", "2", engine.Up), 0, End{At: epoch, Applied: true, Hold: time.Hour})
	require.NotNil(t, c.Reversal(asks("ns/b", 0), engine.Down, epoch.Add(59*time.Minute)), "as long as the hold, where that is longer")
}

// After a restart the last write counts, whichever agent is loaded first.
func TestTheLastWriteIsReclaimed(t *testing.T) {
	end := func(_ *engine.Intent, out engine.Outcome, at time.Time) End {
		return End{At: at, Applied: out.Applied, Hold: hold}
	}
	act := func(agent, identity string, at time.Time, applied bool) []engine.Act {
		return []engine.Act{{Intent: *scaled(agent, identity, engine.Up), Outcome: engine.Outcome{Status: engine.Done, Applied: applied}, EndedAt: at}}
	}
	older, newer := act("ns/a", "1", epoch, true), act("ns/b", "2", epoch.Add(time.Minute), true)
	for name, order := range map[string][][]engine.Act{"older first": {older, newer}, "newer first": {newer, older}, "twice": {older, newer, older, newer}} {
		t.Run(name, func(t *testing.T) {
			shared := NewTable()
			now := epoch.Add(2 * time.Minute)
			for _, acts := range order {
				v := &View{Shared: shared, Priority: map[string]int{"ns/b": 7}[acts[0].Agent]}
				v.Reclaim(nil, acts, end, now)
			}
			h := shared.Free(asks("ns/c", 7), now)
			require.NotNil(t, h)
			require.Equal(t, []any{"ns/b", 7, epoch.Add(time.Minute + hold)}, []any{h.Agent, h.Priority, h.Until})
			require.Nil(t, shared.Free(asks("ns/c", 8), now))
		})
	}
	for name, acts := range map[string][]engine.Act{
		"not applied": act("ns/a", "1", epoch, false), "long ago": act("ns/a", "1", epoch.Add(-time.Hour), true),
		"a dry run": {{Intent: func() engine.Intent { in := *scaled("ns/a", "1", engine.Up); in.DryRun = true; return in }(), Outcome: engine.Outcome{Status: engine.Done, Applied: true}, EndedAt: epoch}},
	} {
		shared := NewTable()
		(&View{Shared: shared}).Reclaim(nil, acts, end, epoch)
		require.Nil(t, shared.Free(asks("ns/c", 0), epoch), name)
	}
	// An open act holds its claim, and what was written before counts if it comes to nothing.
	shared, open := NewTable(), scaled("ns/b", "3", engine.Down)
	v := &View{Shared: shared}
	v.Reclaim([]engine.Intent{*open}, newer, end, epoch.Add(time.Minute))
	require.Equal(t, "running", shared.Free(asks("ns/a", 0), epoch.Add(time.Minute)).State)
	v.Release(open, End{At: epoch.Add(time.Minute)}, epoch.Add(time.Minute))
	require.Equal(t, epoch.Add(time.Minute+hold), shared.Free(asks("ns/a", 0), epoch.Add(time.Minute)).Until)
}

// A write is held after a restart although a later act came to nothing, whichever agent is
// loaded first.
func TestAWriteBehindAFailureIsReclaimed(t *testing.T) {
	minute := func(n float64) time.Time { return epoch.Add(time.Duration(n * float64(time.Minute))) }
	// Each row is a later act, of ns/b, that wrote nothing.
	for name, row := range map[string]struct {
		end   End
		open  bool // the later act ends after the restart only
		agent string
		until time.Time
	}{
		"it cools for less than the hold": {End{At: minute(1), Cooldown: time.Minute}, false, "ns/a", epoch.Add(hold)},
		"it cools for longer":             {End{At: minute(1), Cooldown: time.Hour}, false, "ns/b", minute(61)},
		"it does not cool":                {End{At: minute(1)}, false, "ns/a", epoch.Add(hold)},
		"it runs, and cools for less":     {End{At: minute(3), Cooldown: time.Minute}, true, "ns/a", epoch.Add(hold)},
		"it runs, and cools for longer":   {End{At: minute(3), Cooldown: time.Hour}, true, "ns/b", minute(63)},
	} {
		wrote := engine.Act{Intent: *scaled("ns/a", "1", engine.Up), Outcome: engine.Outcome{Status: engine.Done, Applied: true}, EndedAt: epoch}
		before := engine.Act{Intent: *scaled("ns/c", "0", engine.Down), Outcome: engine.Outcome{Status: engine.Done, Applied: true}, EndedAt: minute(-1)}
		later := engine.Act{Intent: *scaled("ns/b", "2", engine.Down), Outcome: engine.Outcome{Status: engine.Failed}, EndedAt: row.end.At}
		later.At = minute(0.5)
		endOf := func(in *engine.Intent, out engine.Outcome, at time.Time) End {
			if in.Agent == "ns/b" {
				return row.end
			}
			return End{At: at, Applied: out.Applied, Hold: hold}
		}
		for _, agents := range []string{"ab", "ba", "abc", "acb", "bac", "bca", "cab", "cba", "abcabc", "aabbcc", "ccbbaa"} {
			t.Run(name+", "+agents, func(t *testing.T) {
				shared, now := NewTable(), minute(1.5)
				for _, agent := range agents {
					v := &View{Shared: shared, Priority: map[rune]int{'b': 7}[agent]}
					switch {
					case agent == 'a':
						v.Reclaim(nil, []engine.Act{wrote}, endOf, now)
					case agent == 'c':
						v.Reclaim(nil, []engine.Act{before}, endOf, now)
					case row.open:
						v.Reclaim([]engine.Intent{later.Intent}, nil, endOf, now)
					default:
						v.Reclaim(nil, []engine.Act{later}, endOf, now)
					}
				}
				require.NotNil(t, shared.Reversal(asks("ns/d", 0), engine.Down, now), "that of ns/a")
				if row.open {
					require.Equal(t, "running", shared.Free(asks("ns/d", 0), now).State)
					now = row.end.At
					shared.Release(&later.Intent, row.end, now)
				}
				h := shared.Free(asks("ns/d", 0), now)
				require.NotNil(t, h)
				require.Equal(t, []any{row.agent, row.until}, []any{h.Agent, h.Until})
				require.NotNil(t, shared.Reversal(asks("ns/d", 0), engine.Down, now), "that of ns/a")
			})
		}
	}
}

// A hold keeps its length when the clock is set back, and ends with its agent.
func TestAHoldEnds(t *testing.T) {
	c, ahead := NewTable(), epoch.AddDate(1, 0, 0)
	do(t, c, scaled("ns/a", "1", engine.Up), 0, End{At: ahead, Applied: true, Cooldown: time.Minute, Hold: hold})
	require.Equal(t, epoch.Add(hold), c.Free(asks("ns/b", 0), epoch).Until)
	c.DropOrphans(func(agent string) bool { return agent == "ns/a" })
	require.NotNil(t, c.Free(asks("ns/b", 0), epoch))
	c.DropOrphans(func(string) bool { return false })
	require.Equal(t, epoch.Add(time.Minute), c.Free(asks("ns/b", 0), epoch).Until, "the cooldown is left")
	require.Nil(t, c.Free(asks("ns/b", 0), epoch.Add(time.Minute)))

	// So does one that another agent's act is about to write over, if that comes to nothing.
	c = NewTable()
	do(t, c, scaled("ns/a", "1", engine.Up), 0, End{At: epoch, Applied: true, Cooldown: time.Minute, Hold: hold})
	over := scaled("ns/b", "2", engine.Down)
	k := Of(over)
	k.Priority = 1
	_, held := c.Take(k, epoch)
	require.Nil(t, held)
	c.DropOrphans(func(agent string) bool { return agent == "ns/b" })
	c.Release(over, End{At: epoch}, epoch)
	require.Equal(t, epoch.Add(time.Minute), c.Free(asks("ns/c", 0), epoch).Until)
}

// What an agent wrote is held although another, whose act ran over it, is gone.
func TestAHoldOutlivesAnOrphanOverIt(t *testing.T) {
	c := NewTable()
	do(t, c, scaled("ns/a", "1", engine.Up), 0, End{At: epoch, Applied: true, Hold: hold})
	k := Of(scaled("ns/b", "2", engine.Down))
	k.Priority = 1
	_, held := c.Take(k, epoch)
	require.Nil(t, held)
	c.Orphan(k)
	c.DropOrphans(func(agent string) bool { return agent == "ns/a" })
	h := c.Free(asks("ns/c", 0), epoch)
	require.NotNil(t, h)
	require.Equal(t, []any{"ns/a", epoch.Add(hold)}, []any{h.Agent, h.Until})
	c.DropOrphans(func(string) bool { return false })
	require.Nil(t, c.Free(asks("ns/c", 0), epoch))
}

// What is only held is not in flight: no document has it.
func TestAHeldFieldIsNotInFlight(t *testing.T) {
	c := NewTable()
	do(t, c, scaled("ns/a", "1", engine.Up), 0, End{At: epoch, Applied: true, Cooldown: time.Minute, Hold: hold})
	far := engine.HeldClaim{Kind: "Deployment", Target: "ns/web", Claim: "traffic", Agent: "ns/far", Verb: "traffic", State: "held", Until: epoch.Add(hold)}
	v := &View{Shared: c, DryRun: NewTable(), Remote: &Remote{
		Claims: func() map[engine.TargetID][]engine.HeldClaim {
			return map[engine.TargetID][]engine.HeldClaim{web: {far}}
		},
		Local: func(string) bool { return false },
	}}
	require.Equal(t, []engine.Claim{{Name: "replicas", Agent: "ns/a", Strategy: "s", Verb: "scale", State: "cooling"}}, v.On(web, epoch))
	require.Empty(t, v.On(web, epoch.Add(time.Minute)))
}

// What an agent of another process wrote is held too, by its priority. An older process sends
// no priority, and no change.
func TestWhatAnotherProcessWroteIsHeld(t *testing.T) {
	wrote := engine.HeldClaim{
		Kind: "Deployment", Target: "ns/web", Claim: "replicas", Agent: "ns/far", Verb: "scale", State: "held", Until: epoch.Add(hold),
		Priority: 5, Wrote: epoch, Change: "replicas 1 -> 7", Direction: engine.Up, Peer: "http://east",
	}
	older := wrote
	older.State, older.Priority, older.Wrote, older.Change, older.Direction = "cooling", 0, time.Time{}, "", ""
	for name, row := range map[string]struct {
		claim    engine.HeldClaim
		priority int
		why      string
		reverses bool
	}{
		"equal":       {wrote, 5, "replicas is held by scale of ns/far (held until 2026-03-01T12:05:00Z), at http://east; at 2026-03-01T12:00:00Z it wrote replicas 1 -> 7; ns/b may write it then, or before if its spec.priority (5) is above that of ns/far (5); spec.guards.hold of ns/far is how long it is held", true},
		"higher":      {wrote, 6, "", true},
		"older":       {older, 0, "replicas is held by scale of ns/far (cooling until 2026-03-01T12:05:00Z), at http://east; ns/b may write it then, or before if its spec.priority (0) is above that of ns/far (0)", false},
		"above older": {older, 1, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			v := &View{Shared: NewTable(), DryRun: NewTable(), Priority: row.priority, Remote: &Remote{
				Claims: func() map[engine.TargetID][]engine.HeldClaim {
					return map[engine.TargetID][]engine.HeldClaim{web: {row.claim}}
				},
				Local: func(string) bool { return false },
			}}
			k, now := asks("ns/b", 0), epoch.Add(time.Second)
			h := v.Free(k, now)
			require.Equal(t, row.why == "", h == nil)
			if h != nil {
				require.Equal(t, row.why, v.Explain(h, k))
			}
			require.Equal(t, row.reverses, v.Reversal(k, engine.Down, now) != nil)
		})
	}
}

package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func guarded(g Guards) *agent {
	h := NewHost(Config{})
	return newAgent(h, Spec{AgentInfo: AgentInfo{Namespace: "ns", Name: "a"}, Guards: g})
}

// try passes a candidate through all bounds in Go, as a firing does.
func (a *agent) try(c *candidate, now time.Time) {
	a.bound([]*candidate{c})
	for _, check := range []func(*candidate, time.Time){a.cooldown, a.budget, a.blastRadius} {
		if c.live() {
			check(c, now)
		}
	}
}

func scaleTo(from, to int) *candidate {
	p := Proposal{Target: Target{Name: "web", Replicas: &Replicas{Desired: from, Ready: from}}, Primitive: "scale", With: map[string]any{"replicas": float64(to)}}
	c := &candidate{Proposal: p, claim: "replicas", decision: Decision{Verdict: Admitted, With: p.With}}
	c.verb.Direction = func(p Proposal) Direction {
		switch want := int(p.With["replicas"].(float64)); {
		case want > p.Target.Replicas.Desired:
			return Up
		case want < p.Target.Replicas.Desired:
			return Down
		}
		return ""
	}
	return c
}

func TestReplicasAreClamped(t *testing.T) {
	bounds := &ReplicaGuard{Min: 1, Max: 10, StepUp: 4, StepDown: 1}
	for _, row := range []struct{ from, asked, want int }{
		{1, 3, 3}, {1, 9, 5}, {8, 20, 10}, {4, 1, 3}, {2, 1, 1}, {12, 11, 11}, {14, 3, 13}, {0, 9, 4},
	} {
		t.Run(fmt.Sprintf("%d asked for %d", row.from, row.asked), func(t *testing.T) {
			c := scaleTo(row.from, row.asked)
			guarded(Guards{Replicas: bounds}).try(c, epoch)
			require.Equal(t, Admitted, c.decision.Verdict, c.decision.Detail)
			require.EqualValues(t, row.want, c.With["replicas"])
			if row.want != row.asked {
				require.Equal(t, "guards.replicas", c.decision.By)
				require.EqualValues(t, row.asked, c.decision.Proposed["replicas"], "what was asked for is on record")
				require.EqualValues(t, row.want, c.decision.With["replicas"])
			}
		})
	}
	for _, row := range []struct{ from, asked int }{{10, 12}, {1, 0}, {12, 20}} {
		c := scaleTo(row.from, row.asked)
		guarded(Guards{Replicas: bounds}).try(c, epoch)
		require.Equal(t, Refused, c.decision.Verdict, "%d asked for %d: nothing is left to change", row.from, row.asked)
	}
}

func TestWithoutGuardsNothingIsBounded(t *testing.T) {
	c := scaleTo(1, 1000)
	guarded(Guards{}).try(c, epoch)
	require.Equal(t, Admitted, c.decision.Verdict)
	require.EqualValues(t, 1000, c.With["replicas"])
}

func TestCooldown(t *testing.T) {
	a := guarded(Guards{Cooldown: map[string]time.Duration{"up": 10 * time.Second, "down": time.Minute, "webhook": time.Minute}})
	m := a.memoryOf(TargetID{Name: "web"})
	m.counted(Intent{Identity: "1", Primitive: "scale", Direction: Up, At: epoch}, time.Hour)
	for _, row := range []struct {
		after    time.Duration
		from, to int
		want     Verdict
	}{
		{5 * time.Second, 2, 3, Refused}, {10 * time.Second, 2, 3, Admitted},
		{59 * time.Second, 3, 2, Refused}, {time.Minute, 3, 2, Admitted},
	} {
		c := scaleTo(row.from, row.to)
		a.try(c, epoch.Add(row.after))
		require.Equal(t, row.want, c.decision.Verdict, "%d to %d after %s: %s", row.from, row.to, row.after, c.decision.Detail)
	}
	m.counted(Intent{Identity: "2", Primitive: "scale", Direction: Down, At: epoch.Add(time.Minute)}, time.Hour)
	c := scaleTo(2, 3)
	a.try(c, epoch.Add(61*time.Second))
	require.Equal(t, Admitted, c.decision.Verdict, "up is counted from the last act upward")

	hook := &candidate{Proposal: Proposal{Target: Target{Name: "web"}, Primitive: "webhook"}, decision: Decision{Verdict: Admitted}}
	a.try(hook, epoch.Add(time.Second))
	require.Equal(t, Admitted, hook.decision.Verdict, "by verb where there is no direction: scale does not cool webhook")
}

func TestBudgetAndFleetCountWhatWasAdmitted(t *testing.T) {
	a := guarded(Guards{Budget: &BudgetGuard{Actions: 2, Per: time.Hour}, Fleet: &FleetGuard{Percent: 10, Per: time.Minute}})
	a.fleetSize = 25 // ten percent, rounded down: two
	try := func(target string, at time.Time) Verdict {
		c := scaleTo(1, 2)
		c.Target.Name = target
		a.touched = nil // as at the start of a firing
		a.try(c, at)
		if c.live() {
			a.memoryOf(c.Target.ID()).counted(Intent{Identity: fmt.Sprint(target, at), Primitive: "scale", At: at}, 2*time.Hour)
		}
		return c.decision.Verdict
	}
	require.Equal(t, Admitted, try("a", epoch))
	require.Equal(t, Admitted, try("b", epoch))
	require.Equal(t, Refused, try("c", epoch), "a third target in the minute")
	require.Equal(t, Admitted, try("a", epoch.Add(time.Second)), "one touched already does not widen the radius")
	require.Equal(t, Refused, try("a", epoch.Add(2*time.Second)), "its own budget is spent")
	require.Equal(t, Admitted, try("c", epoch.Add(2*time.Minute)))
	require.Equal(t, Admitted, try("a", epoch.Add(time.Hour+2*time.Minute)))
	a.fleetSize = 3
	a.touched, a.memories = nil, map[TargetID]*memory{}
	require.Equal(t, Admitted, try("x", epoch), "a percentage of a small fleet allows one")
}

func TestPausedAdmitsNothing(t *testing.T) {
	a := guarded(Guards{})
	a.spec.Mode = Paused
	c := scaleTo(1, 2)
	a.try(c, epoch)
	require.Equal(t, "mode", c.decision.By)
}

func TestArbitration(t *testing.T) {
	propose := func(strategy, claim string, priority int) *candidate {
		return &candidate{Proposal: Proposal{Strategy: strategy, Priority: priority}, claim: claim, decision: Decision{Verdict: Admitted}}
	}
	low, high, equal, other, none := propose("b", "replicas", 10), propose("c", "replicas", 60), propose("d", "replicas", 60), propose("e", "traffic", 1), propose("f", "", 1)
	invalid := propose("a", "replicas", 100)
	invalid.refuse("signals", "load is stale")
	arbitrate([]*candidate{low, invalid, equal, high, other, none})
	require.True(t, high.live())
	require.True(t, other.live())
	require.True(t, none.live())
	require.False(t, equal.live(), "among equals the first by name")
	require.Equal(t, "replicas goes to c, priority 60 against 10", low.decision.Detail)
	require.Equal(t, "signals", invalid.decision.By, "one that may not speak silences nobody, and keeps its own reason")
}

// A bound that is meant for restarts must not silence an alert: it counts and bounds the
// verbs that it names.
func TestBudgetAndFleetBindTheVerbsThatTheyName(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	did := func(a *agent, target, verb string) {
		id := TargetID{Namespace: "ns", Name: target}
		a.memoryOf(id).counted(Intent{Identity: target + verb, Primitive: verb, At: now, Target: id}, time.Hour)
	}
	of := func(target, verb string) *candidate {
		c := scaleTo(1, 2)
		c.Target.Namespace, c.Target.Name, c.Primitive = "ns", target, verb
		return c
	}
	for name, c := range map[string]struct {
		guards  Guards
		verb    string
		refused string
	}{
		"a budget of its verb":         {Guards{Budget: &BudgetGuard{Actions: 1, Per: time.Hour, Primitives: []string{"restart"}}}, "restart", "1 acts by restart in the last 1h0m0s, and 1 are allowed"},
		"a budget of another":          {Guards{Budget: &BudgetGuard{Actions: 1, Per: time.Hour, Primitives: []string{"restart"}}}, "webhook", ""},
		"a budget that counts another": {Guards{Budget: &BudgetGuard{Actions: 1, Per: time.Hour, Primitives: []string{"webhook"}}}, "webhook", ""},
		"a budget of all":              {Guards{Budget: &BudgetGuard{Actions: 1, Per: time.Hour}}, "webhook", "1 acts in the last 1h0m0s"},
		"a fleet of its verb":          {Guards{Fleet: &FleetGuard{Targets: 1, Per: time.Hour, Primitives: []string{"restart"}}}, "restart", "1 targets acted upon by restart in the last 1h0m0s"},
		"a fleet of another":           {Guards{Fleet: &FleetGuard{Targets: 1, Per: time.Hour, Primitives: []string{"restart"}}}, "webhook", ""},
		"a fleet that counts another":  {Guards{Fleet: &FleetGuard{Targets: 1, Per: time.Hour, Primitives: []string{"webhook"}}}, "webhook", ""},
		"a fleet of all":               {Guards{Fleet: &FleetGuard{Targets: 1, Per: time.Hour}}, "webhook", "1 targets acted upon in the last 1h0m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			a := guarded(c.guards)
			a.fleetSize = 3
			other := "web"
			if c.guards.Fleet != nil {
				other = "api" // on another target
			}
			did(a, other, "restart")
			got := of("web", c.verb)
			a.budget(got, now)
			if got.live() {
				a.blastRadius(got, now)
			}
			if c.refused == "" {
				require.True(t, got.live(), got.decision.Detail)
				return
			}
			require.Equal(t, Refused, got.decision.Verdict)
			require.Contains(t, got.decision.Detail, c.refused)
		})
	}
}

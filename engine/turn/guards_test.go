package turn

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/claim"
	"github.com/scanflow-k8s/scanflow/engine/memory"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func guarded(g engine.Guards) *Agent {
	shared := claim.NewTable()
	view := &claim.View{Shared: shared, DryRun: claim.NewTable(), Remote: &claim.Remote{}}
	return NewAgent(engine.Spec{AgentInfo: engine.AgentInfo{Namespace: "ns", Name: "a"}, Guards: g}, nil, view)
}

// admissionAt returns the admission of a turn over a fleet of that size.
func (a *Agent) admissionAt(now time.Time, fleet int) *admission {
	return &admission{Evaluation: &Evaluation{Observation: &Observation{agent: a, targets: make([]*target, fleet)}}, now: now}
}

// try passes a candidate through all guards in Go, as a turn does.
func (a *Agent) try(c *candidate, now time.Time, fleet int) {
	a.bound(c)
	ad := a.admissionAt(now, fleet)
	for _, check := range []func(*candidate){ad.cooldown, ad.budget, ad.blastRadius} {
		if c.live() {
			check(c)
		}
	}
}

func scaleTo(from, to int) *candidate {
	p := engine.Proposal{Target: engine.Target{Name: "web", Replicas: &engine.Replicas{Desired: from, Ready: from}}, Primitive: "scale", With: map[string]any{"replicas": float64(to)}}
	c := &candidate{Proposal: p, claim: "replicas", decision: engine.Decision{Verdict: engine.Admitted, With: p.With}}
	c.verb.Direction = func(p engine.Proposal) engine.Direction {
		switch want := int(p.With["replicas"].(float64)); {
		case want > p.Target.Replicas.Desired:
			return engine.Up
		case want < p.Target.Replicas.Desired:
			return engine.Down
		}
		return ""
	}
	return c
}

func TestReplicasAreClamped(t *testing.T) {
	bounds := &engine.ReplicaGuard{Min: 1, Max: 10, StepUp: 4, StepDown: 1}
	for _, row := range []struct{ from, asked, want int }{
		{1, 3, 3}, {1, 9, 5}, {8, 20, 10}, {4, 1, 3}, {2, 1, 1}, {12, 11, 11}, {14, 3, 13}, {0, 9, 4},
	} {
		t.Run(fmt.Sprintf("%d asked for %d", row.from, row.asked), func(t *testing.T) {
			c := scaleTo(row.from, row.asked)
			guarded(engine.Guards{Replicas: bounds}).try(c, epoch, 1)
			require.Equal(t, engine.Admitted, c.decision.Verdict, c.decision.Detail)
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
		guarded(engine.Guards{Replicas: bounds}).try(c, epoch, 1)
		require.Equal(t, engine.Refused, c.decision.Verdict, "%d asked for %d: nothing is left to change", row.from, row.asked)
	}
}

func TestWithoutGuardsNothingIsBounded(t *testing.T) {
	c := scaleTo(1, 1000)
	guarded(engine.Guards{}).try(c, epoch, 1)
	require.Equal(t, engine.Admitted, c.decision.Verdict)
	require.EqualValues(t, 1000, c.With["replicas"])
}

func TestCooldown(t *testing.T) {
	a := guarded(engine.Guards{Cooldown: map[string]time.Duration{"up": 10 * time.Second, "down": time.Minute, "webhook": time.Minute}})
	m := a.Memory.Of(engine.TargetID{Name: "web"})
	m.Add(&engine.Intent{Change: engine.Change{Proposal: engine.Proposal{Identity: "1", Primitive: "scale"}}, Direction: engine.Up, At: epoch}, time.Hour)
	for _, row := range []struct {
		after    time.Duration
		from, to int
		want     engine.Verdict
	}{
		{5 * time.Second, 2, 3, engine.Refused}, {10 * time.Second, 2, 3, engine.Admitted},
		{59 * time.Second, 3, 2, engine.Refused}, {time.Minute, 3, 2, engine.Admitted},
	} {
		c := scaleTo(row.from, row.to)
		a.try(c, epoch.Add(row.after), 1)
		require.Equal(t, row.want, c.decision.Verdict, "%d to %d after %s: %s", row.from, row.to, row.after, c.decision.Detail)
	}
	m.Add(&engine.Intent{Change: engine.Change{Proposal: engine.Proposal{Identity: "2", Primitive: "scale"}}, Direction: engine.Down, At: epoch.Add(time.Minute)}, time.Hour)
	c := scaleTo(2, 3)
	a.try(c, epoch.Add(61*time.Second), 1)
	require.Equal(t, engine.Admitted, c.decision.Verdict, "up is counted from the last act upward")

	hook := &candidate{Proposal: engine.Proposal{Target: engine.Target{Name: "web"}, Primitive: "webhook"}, decision: engine.Decision{Verdict: engine.Admitted}}
	a.try(hook, epoch.Add(time.Second), 1)
	require.Equal(t, engine.Admitted, hook.decision.Verdict, "by verb where there is no direction: scale does not cool webhook")
}

func TestBudgetAndFleetCountWhatWasAdmitted(t *testing.T) {
	a := guarded(engine.Guards{Budget: &engine.BudgetGuard{Actions: 2, Per: time.Hour}, Fleet: &engine.FleetGuard{Percent: 10, Per: time.Minute}})
	fleet := 25 // ten percent, rounded down: two
	try := func(target string, at time.Time) engine.Verdict {
		c := scaleTo(1, 2)
		c.Target.Name = target
		a.try(c, at, fleet)
		if c.live() {
			a.Memory.Of(c.Target.ID()).Add(&engine.Intent{Change: engine.Change{Proposal: engine.Proposal{Identity: fmt.Sprint(target, at), Primitive: "scale"}}, At: at}, 2*time.Hour)
		}
		return c.decision.Verdict
	}
	require.Equal(t, engine.Admitted, try("a", epoch))
	require.Equal(t, engine.Admitted, try("b", epoch))
	require.Equal(t, engine.Refused, try("c", epoch), "a third target in the minute")
	require.Equal(t, engine.Admitted, try("a", epoch.Add(time.Second)), "one touched already does not widen the radius")
	require.Equal(t, engine.Refused, try("a", epoch.Add(2*time.Second)), "its own budget is spent")
	require.Equal(t, engine.Admitted, try("c", epoch.Add(2*time.Minute)))
	require.Equal(t, engine.Admitted, try("a", epoch.Add(time.Hour+2*time.Minute)))
	fleet, a.Memory = 3, memory.NewBook()
	require.Equal(t, engine.Admitted, try("x", epoch), "a percentage of a small fleet allows one")
}

func TestPausedAdmitsNothing(t *testing.T) {
	a := guarded(engine.Guards{})
	a.Spec.Mode = engine.Paused
	c := scaleTo(1, 2)
	a.try(c, epoch, 1)
	require.Equal(t, "mode", c.decision.By)
}

func TestArbitration(t *testing.T) {
	propose := func(strategy, claim string, priority int) *candidate {
		return &candidate{Proposal: engine.Proposal{Strategy: strategy, Priority: priority}, claim: claim, decision: engine.Decision{Verdict: engine.Admitted}}
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
	require.Equal(t, "signals", invalid.decision.By, "a refused one does not take part, and keeps its reason")
}

// A budget or fleet guard that names primitives counts and limits only those.
func TestBudgetAndFleetBindTheVerbsThatTheyName(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	did := func(a *Agent, target, verb string) {
		id := engine.TargetID{Namespace: "ns", Name: target}
		a.Memory.Of(id).Add(&engine.Intent{Change: engine.Change{Proposal: engine.Proposal{Identity: target + verb, Primitive: verb}}, At: now}, time.Hour)
	}
	of := func(target, verb string) *candidate {
		c := scaleTo(1, 2)
		c.Target.Namespace, c.Target.Name, c.Primitive = "ns", target, verb
		return c
	}
	for name, c := range map[string]struct {
		guards  engine.Guards
		verb    string
		refused string
	}{
		"a budget of its verb":         {engine.Guards{Budget: &engine.BudgetGuard{Actions: 1, Per: time.Hour, Primitives: []string{"restart"}}}, "restart", "1 acts by restart in the last 1h0m0s, and 1 are allowed"},
		"a budget of another":          {engine.Guards{Budget: &engine.BudgetGuard{Actions: 1, Per: time.Hour, Primitives: []string{"restart"}}}, "webhook", ""},
		"a budget that counts another": {engine.Guards{Budget: &engine.BudgetGuard{Actions: 1, Per: time.Hour, Primitives: []string{"webhook"}}}, "webhook", ""},
		"a budget of all":              {engine.Guards{Budget: &engine.BudgetGuard{Actions: 1, Per: time.Hour}}, "webhook", "1 acts in the last 1h0m0s"},
		"a fleet of its verb":          {engine.Guards{Fleet: &engine.FleetGuard{Targets: 1, Per: time.Hour, Primitives: []string{"restart"}}}, "restart", "1 targets acted upon by restart in the last 1h0m0s"},
		"a fleet of another":           {engine.Guards{Fleet: &engine.FleetGuard{Targets: 1, Per: time.Hour, Primitives: []string{"restart"}}}, "webhook", ""},
		"a fleet that counts another":  {engine.Guards{Fleet: &engine.FleetGuard{Targets: 1, Per: time.Hour, Primitives: []string{"webhook"}}}, "webhook", ""},
		"a fleet of all":               {engine.Guards{Fleet: &engine.FleetGuard{Targets: 1, Per: time.Hour}}, "webhook", "1 targets acted upon in the last 1h0m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			a := guarded(c.guards)
			other := "web"
			if c.guards.Fleet != nil {
				other = "api" // on another target
			}
			did(a, other, "restart")
			got := of("web", c.verb)
			ad := a.admissionAt(now, 3)
			ad.budget(got)
			if got.live() {
				ad.blastRadius(got)
			}
			if c.refused == "" {
				require.True(t, got.live(), got.decision.Detail)
				return
			}
			require.Equal(t, engine.Refused, got.decision.Verdict)
			require.Contains(t, got.decision.Detail, c.refused)
		})
	}
}

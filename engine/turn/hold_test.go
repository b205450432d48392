package turn_test

import (
	"fmt"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/claim"
	"github.com/scanflow-k8s/scanflow/engine/policy"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
	"github.com/scanflow-k8s/scanflow/engine/turn"
)

const sized = `package scanflow.strategies.t.sized

propose contains {"primitive": "scale", "with": {"replicas": input.params.replicas}, "reason": "sized", "because": []}
`

// rivals are agents that want different replicas of one Deployment, in virtual time. An act
// takes no time.
type rivals struct {
	t        *testing.T
	policies engine.Policies
	shared   *claim.Table
	agents   []*turn.Agent
	now      time.Time
	replicas int
	acts     []engine.Act
	// refused are the details of refusals by claims, the last of each agent.
	refused map[string]string
	admits  map[string]string
	fails   bool // acts write nothing
}

var midnight = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func newRivals(t *testing.T, specs ...func(*engine.Spec)) *rivals {
	store := policy.NewStore(source.FromFS(fstest.MapFS{"sized.rego": {Data: []byte(sized)}}), policy.StoreOptions{})
	require.NoError(t, store.Load(t.Context()))
	r := &rivals{t: t, policies: store, shared: claim.NewTable(), now: midnight, replicas: 1, refused: map[string]string{}, admits: map[string]string{}}
	for i, change := range specs {
		r.add(fmt.Sprint(string(rune('a'+i))), []float64{7, 1, 4}[i], change)
	}
	return r
}

func (r *rivals) add(name string, wants float64, change func(*engine.Spec)) *turn.Agent {
	spec := engine.Spec{
		AgentInfo: engine.AgentInfo{Namespace: "ns", Name: name}, Mode: engine.Enforce, Strategies: []string{"t.sized"}, Primitives: []string{"scale"},
		Params: map[string]any{"replicas": wants}, Guards: engine.Guards{Hold: engine.DefaultHold},
	}
	if change != nil {
		change(&spec)
	}
	verbs := map[string]engine.Verb{"scale": {Claim: func(map[string]any) string { return "replicas" }, Direction: func(p engine.Proposal) engine.Direction {
		if p.With["replicas"].(float64) > float64(p.Target.Replicas.Desired) {
			return engine.Up
		}
		return engine.Down
	}}}
	a := turn.NewAgent(spec, verbs, &claim.View{
		Shared: r.shared, DryRun: claim.NewTable(), Remote: &claim.Remote{}, IsDry: spec.Mode == engine.DryRun, Priority: spec.Priority,
	})
	r.agents = append(r.agents, a)
	return a
}

// turn drives a turn of an agent, and its act to the end.
func (r *rivals) turn(a *turn.Agent) {
	in := turn.Input{ID: fmt.Sprint(a.Name(), "-", r.now.UnixNano()), Now: r.now, Trigger: engine.TriggerInfo{Name: "tick", Kind: "every"}, Revision: r.policies.Pin()}
	in.Fleet = []engine.Target{{Kind: "Deployment", Namespace: "ns", Name: "web", Replicas: &engine.Replicas{Desired: r.replicas, Ready: r.replicas}}}
	evaluated := a.Observe(in).Evaluate(r.t.Context(), turn.Serial)
	var plans []turn.Plan
	for _, p := range evaluated.Plans() {
		want := int(p.With["replicas"].(float64))
		plans = append(plans, turn.Plan{Change: engine.Change{Diff: fmt.Sprintf("replicas %d -> %d", r.replicas, want), NoOp: want == r.replicas}})
	}
	result := evaluated.Admit(plans)
	result.Commit()
	for _, d := range result.All() {
		switch {
		case d.Verdict == engine.Refused && d.By == "claims":
			r.refused[a.Name()] = d.Detail
		case d.Verdict == engine.Admitted:
			r.admits[a.Name()] = d.Detail
		}
	}
	for i := range result.Record.Intents {
		intent := &result.Record.Intents[i]
		a.Begin(intent)
		act := engine.Act{Intent: *intent, Outcome: engine.Outcome{Status: engine.Done, Applied: true}, EndedAt: r.now}
		switch {
		case intent.DryRun:
			act.Outcome.Applied = false
		case r.fails:
			act.Outcome = engine.Outcome{Status: engine.Failed}
		default:
			r.replicas = int(intent.With["replicas"].(float64))
		}
		a.End(intent, act.Outcome, act.EndedAt, act.EndedAt)
		r.acts = append(r.acts, act)
	}
}

// run ticks every agent once a second.
func (r *rivals) run(span time.Duration) {
	for end := r.now.Add(span); r.now.Before(end); r.now = r.now.Add(time.Second) {
		for _, a := range r.agents {
			r.turn(a)
		}
	}
}

// Two agents want different values of one field. Who wrote first, or has the higher priority,
// holds it; without a hold they take turns each second.
func TestTwoAgentsDoNotFlapAField(t *testing.T) {
	with := func(priority int, hold time.Duration) func(*engine.Spec) {
		return func(s *engine.Spec) { s.Priority, s.Guards.Hold = priority, hold }
	}
	const hold = engine.DefaultHold
	for name, row := range map[string]struct {
		specs []func(*engine.Spec)
		span  time.Duration
		acts  int
		ends  int
	}{
		"equal":                      {[]func(*engine.Spec){nil, nil}, 71 * time.Second, 1, 7},
		"equal, for two holds":       {[]func(*engine.Spec){nil, nil}, 600 * time.Second, 2, 1},
		"the second is above":        {[]func(*engine.Spec){with(0, hold), with(1, hold)}, 71 * time.Second, 2, 1},
		"the first is above":         {[]func(*engine.Spec){with(1, hold), with(0, hold)}, 71 * time.Second, 1, 7},
		"the second is above a hold": {[]func(*engine.Spec){with(0, time.Hour), with(1, hold)}, 71 * time.Second, 2, 1},
		"three":                      {[]func(*engine.Spec){nil, nil, nil}, 71 * time.Second, 1, 7},
		"three, the last above":      {[]func(*engine.Spec){with(0, hold), with(-1, hold), with(2, hold)}, 71 * time.Second, 2, 4},
		"no hold":                    {[]func(*engine.Spec){with(0, 0), with(0, 0)}, 10 * time.Second, 20, 1},
		"one with a hold":            {[]func(*engine.Spec){with(0, 0), with(0, hold)}, 71 * time.Second, 2, 1},
		"no hold, and a cooldown": {[]func(*engine.Spec){func(s *engine.Spec) {
			s.Guards.Hold, s.Guards.Cooldown = 0, map[string]time.Duration{"up": time.Minute}
		}, with(0, hold)}, 71 * time.Second, 2, 1},
		"one is paused":                {[]func(*engine.Spec){nil, func(s *engine.Spec) { s.Mode = engine.Paused }}, 71 * time.Second, 1, 7},
		"one is a dry run":             {[]func(*engine.Spec){nil, func(s *engine.Spec) { s.Mode = engine.DryRun }}, 71 * time.Second, 1, 7},
		"a dry run holds nothing":      {[]func(*engine.Spec){func(s *engine.Spec) { s.Mode = engine.DryRun }, func(s *engine.Spec) { s.Params["replicas"] = 3.0 }}, 3 * time.Second, 2, 3},
		"both want the same":           {[]func(*engine.Spec){nil, func(s *engine.Spec) { s.Params["replicas"] = 7.0 }}, 71 * time.Second, 1, 7},
		"what was there wants nothing": {[]func(*engine.Spec){func(s *engine.Spec) { s.Params["replicas"] = 1.0 }, func(s *engine.Spec) { s.Params["replicas"] = 7.0 }}, 71 * time.Second, 1, 7},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRivals(t, row.specs...)
			r.run(row.span)
			require.Len(t, r.acts, row.acts)
			require.Equal(t, row.ends, r.replicas)
		})
	}
}

func TestTheRefusalAndTheReversalNameTheOtherAgent(t *testing.T) {
	r := newRivals(t, nil, nil)
	r.run(41 * time.Second)
	require.Equal(t, "replicas is held by scale of ns/a (held until 2026-03-01T00:05:00Z); at 2026-03-01T00:00:00Z it wrote replicas 1 -> 7; "+
		"ns/b may write it then, or before if its spec.priority (0) is above that of ns/a (0); spec.guards.hold of ns/a is how long it is held", r.refused["ns/b"])
	r.add("judge", 2, func(s *engine.Spec) { s.Priority = 5 })
	r.run(time.Second)
	require.Len(t, r.acts, 2)
	last := r.acts[1]
	require.Equal(t, &engine.Reversal{Agent: "ns/a", Diff: "replicas 1 -> 7", At: midnight}, last.Reverses)
	require.Equal(t, "replicas 7 -> 2 (reverses replicas 1 -> 7 by ns/a, 41s ago)", r.admits["ns/judge"])
	r.run(time.Minute)
	require.Len(t, r.acts, 2, "the lower ones wait")
	require.Contains(t, r.refused["ns/a"], "held by scale of ns/judge")
	require.Contains(t, r.refused["ns/a"], "spec.priority (0) is above that of ns/judge (5)")
}

// An agent that goes on in its own direction, or takes back its own, reverses nobody; nor does
// one long after the other.
func TestWhatIsNoReversal(t *testing.T) {
	free := func(s *engine.Spec) { s.Guards.Hold = 0 }
	r := newRivals(t, free)
	r.turn(r.agents[0])
	r.add("more", 9, free)
	r.now = r.now.Add(time.Second)
	r.turn(r.agents[1])
	r.now = r.now.Add(engine.ReversalWindow + time.Second)
	r.turn(r.agents[0])
	require.Len(t, r.acts, 3)
	for _, a := range r.acts {
		require.Nil(t, a.Reverses)
	}
	r.now = r.now.Add(time.Second)
	r.turn(r.agents[1])
	require.NotNil(t, r.acts[3].Reverses)
}

// The record of a refusal says when what holds the field changes, and is not repeated meanwhile.
func TestARefusalByAnEndedActIsRecordedAnew(t *testing.T) {
	of := func(agent, state string) *engine.Decision {
		return &engine.Decision{Verdict: engine.Refused, By: "claims", HeldBy: &engine.Claim{Agent: agent, State: state}, Detail: time.Now().String()}
	}
	first := turn.Gist(of("ns/a", "running"))
	require.Equal(t, first, turn.Gist(of("ns/a", "running")))
	require.NotEqual(t, first, turn.Gist(of("ns/a", "cooling")))
	require.NotEqual(t, first, turn.Gist(of("ns/b", "running")))
}

// An act that wrote nothing starts no hold.
func TestAFailedActHoldsNothing(t *testing.T) {
	r := newRivals(t, nil, nil)
	r.fails = true
	r.turn(r.agents[0])
	r.fails, r.replicas = false, 4
	r.turn(r.agents[1])
	require.Equal(t, 1, r.replicas)
}

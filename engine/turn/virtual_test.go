package turn_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sync"
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

const strategies = `package scanflow.strategies.t.sizing

propose contains {"primitive": "scale", "with": {"replicas": want}, "priority": 50, "reason": "load", "because": ["load"]} if {
	want := ceil(input.signals.load.value / 10)
	want != input.target.replicas.desired
}

propose contains {"primitive": "retrain", "with": {"epochs": 3}, "note": {"drift": input.signals.drift.value}, "marks": ["trained"], "priority": 40, "reason": "drift", "because": ["drift"]} if {
	input.signals.drift.value > 400
}

propose contains {"primitive": "scale", "with": {"replicas": input.trigger.event.data.replicas}, "priority": 90, "reason": "asked", "because": []} if {
	input.trigger.kind == "event"
}
`

// world is a fleet in virtual time and drives the turns of its agent. Acts take simulated
// minutes, and a person approves after three. Only the executor starts goroutines.
type world struct {
	t        *testing.T
	agent    *turn.Agent
	policies engine.Policies
	execute  turn.Executor
	now      time.Time
	sizes    []int
	drift    []float64
	running  []running
	asked    []engine.Approval
	records  []byte
	turns    int
	acts     map[string]int
	rechecks int
}

type running struct {
	engine.Intent
	ends time.Time
	out  engine.Outcome
}

func newWorld(t *testing.T, execute turn.Executor) *world {
	store := policy.NewStore(source.FromFS(fstest.MapFS{"sizing.rego": {Data: []byte(strategies)}}), policy.StoreOptions{})
	require.NoError(t, store.Load(t.Context()))
	w := &world{t: t, policies: store, execute: execute, now: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), acts: map[string]int{}}
	for range 8 {
		w.sizes, w.drift = append(w.sizes, 1), append(w.drift, 0)
	}
	spec := engine.Spec{
		AgentInfo: engine.AgentInfo{Namespace: "ns", Name: "planner"}, Mode: engine.Enforce,
		Sensors:    []engine.SensorSpec{{Name: "load", StaleAfter: time.Minute}, {Name: "drift", Since: "trained"}},
		Triggers:   []engine.Trigger{{Name: "tick", Every: 10 * time.Second}, {Name: "asked", Event: &engine.EventFilter{Types: []string{"resize"}}, Wait: time.Hour}},
		Strategies: []string{"t.sizing"}, Primitives: []string{"scale", "retrain"},
		Guards: engine.Guards{
			Replicas: &engine.ReplicaGuard{Min: 1, Max: 9, StepUp: 3, StepDown: 1}, Cooldown: map[string]time.Duration{"down": 5 * time.Minute},
			Budget: &engine.BudgetGuard{Actions: 40, Per: time.Hour}, Fleet: &engine.FleetGuard{Targets: 6, Per: 2 * time.Minute},
			Approval: []string{"retrain"}, ApprovalExpiry: time.Hour,
		},
	}
	verbs := map[string]engine.Verb{
		"scale": {Claim: func(map[string]any) string { return "replicas" }, Direction: func(p engine.Proposal) engine.Direction {
			if p.With["replicas"].(float64) > float64(p.Target.Replicas.Desired) {
				return engine.Up
			}
			return engine.Down
		}},
		"retrain": {Claim: func(map[string]any) string { return "workflow/retrain" }, Deadline: time.Hour},
	}
	w.agent = turn.NewAgent(spec, verbs, &claim.View{Shared: claim.NewTable(), DryRun: claim.NewTable(), Remote: &claim.Remote{}})
	return w
}

// step moves to a moment, ends the acts that are over, and drives a turn.
func (w *world) step(at time.Time, trigger engine.TriggerInfo, recheck *engine.Approval) *turn.Result {
	w.now = at
	w.running = slices.DeleteFunc(w.running, func(r running) bool {
		if r.ends.After(at) {
			return false
		}
		i := index(r.Target.Name)
		switch {
		case r.out.Status != engine.Done:
		case r.Primitive == "scale":
			w.sizes[i] = int(r.With["replicas"].(float64))
		default:
			w.drift[i] += 50 // arrived during the training
		}
		w.agent.End(&r.Intent, r.out, r.ends, at)
		return true
	})
	rev := w.policies.Pin()
	in := turn.Input{ID: fmt.Sprintf("f-%d", w.turns), Now: at, Trigger: trigger, Recheck: recheck, Revision: rev}
	w.turns++
	load, drift := make(engine.Reading, len(w.sizes)), make(engine.Reading, len(w.sizes))
	for i := range w.sizes {
		in.Fleet = append(in.Fleet, engine.Target{Kind: "Deployment", Namespace: "ns", Name: fmt.Sprint("web-", i), Replicas: &engine.Replicas{Desired: w.sizes[i], Ready: w.sizes[i]}})
		phase := float64(w.turns)/300 + float64(i)
		load[i] = engine.Signal{State: engine.OK, Value: math.Round(45 + 40*math.Sin(phase))}
		if (w.turns+40*i)%700 < 20 { // the signal is missing for a while
			load[i] = engine.Signal{State: engine.Empty}
		}
		w.drift[i] += float64(i % 3)
		drift[i] = engine.Signal{State: engine.OK, Value: w.drift[i]}
	}
	in.Readings, in.Errs = []engine.Reading{load, drift}, make([]error, 2)
	evaluated := w.agent.Observe(in).Evaluate(w.t.Context(), w.execute)
	var plans []turn.Plan
	for _, p := range evaluated.Plans() {
		c := engine.Change{Diff: fmt.Sprint(p.Primitive, " ", p.With)}
		if p.Primitive == "scale" {
			c.NoOp = int(p.With["replicas"].(float64)) == p.Target.Replicas.Desired
		}
		plans = append(plans, turn.Plan{Change: c})
	}
	result := evaluated.Admit(plans)
	w.record(&result.Record)
	result.Commit()
	for i := range result.Record.Intents {
		in := &result.Record.Intents[i]
		w.agent.Begin(in)
		w.acts[in.Primitive]++
		took, out := 2*time.Minute, engine.Outcome{Status: engine.Done, Applied: true}
		if in.Primitive == "retrain" {
			took = 25 * time.Minute
		}
		if len(w.records)%11 == 0 {
			took, out.Status = time.Minute, engine.Failed
		}
		w.running = append(w.running, running{*in, at.Add(took), out})
	}
	for _, c := range result.Record.Approvals {
		if c.From == "" {
			w.asked = append(w.asked, c.Approval)
		}
	}
	return result
}

func index(name string) (i int) {
	_, _ = fmt.Sscanf(name, "web-%d", &i)
	return i
}

// record appends a turn's record as the journal would store it.
func (w *world) record(rec *engine.FiringRecord) {
	raw, err := json.Marshal(struct {
		*engine.FiringRecord
		Decisions []engine.Decision
		Intents   []engine.Intent
		Notes     []engine.Note
		Approvals []engine.ApprovalChange
		Deferred  *engine.Disposition
	}{rec, rec.Decisions, rec.Intents, rec.Notes, rec.Approvals, rec.Deferred})
	require.NoError(w.t, err)
	w.records = append(w.records, raw...)
}

// run drives a number of turns: ticks, events, and rechecks of approved acts.
func (w *world) run(turns int) {
	start := w.now
	for tick := 0; w.turns < turns; tick++ {
		at := start.Add(time.Duration(tick) * 10 * time.Second)
		w.step(at, engine.TriggerInfo{Name: "tick", Kind: "every"}, nil)
		if tick%97 == 0 {
			e := &engine.Event{ID: fmt.Sprint("e", tick), Source: "/test", Type: "resize", Time: at, Data: map[string]any{"replicas": float64(1 + tick%7)}}
			w.step(at.Add(time.Second), engine.TriggerInfo{Name: "asked", Kind: "event", Event: e}, nil)
		}
		w.asked = slices.DeleteFunc(w.asked, func(p engine.Approval) bool {
			if at.Sub(p.Asked) < 3*time.Minute {
				return false
			}
			p.State, p.By, p.Decided = engine.ApprovalApproved, "ann", at
			w.agent.Approvals.Merge(p, at)
			trigger := p.Trigger
			trigger.Approval = p.ID
			w.step(at.Add(2*time.Second), trigger, &p)
			w.rechecks++
			return true
		})
	}
}

// atOnce executes all at once.
func atOnce(n int, do func(int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { do(i) })
	}
	wg.Wait()
}

// Ten thousand turns in virtual time, more than a day of it, with acts that take minutes,
// give the same bytes in any order of evaluation.
func TestTurnsInVirtualTimeAreReproducible(t *testing.T) {
	const turns = 10_000
	first := newWorld(t, turn.Serial)
	first.run(turns)
	require.Greater(t, first.acts["scale"], 100)
	require.Greater(t, first.acts["retrain"], 10)
	require.GreaterOrEqual(t, first.rechecks, first.acts["retrain"])
	require.Greater(t, first.now.Sub(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)), 24*time.Hour)
	again := newWorld(t, atOnce)
	again.run(turns)
	require.Equal(t, first.acts, again.acts)
	require.True(t, string(first.records) == string(again.records), "the records differ")
}

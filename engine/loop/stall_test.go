package loop_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// rollout is an actuator whose act is as the test says.
type rollout struct {
	mu      sync.Mutex
	out     engine.Outcome
	refuses error // Apply fails with it
	lost    error // Verify fails with it
	asked   int   // calls of Verify
}

func (r *rollout) Plan(context.Context, engine.Proposal) (engine.Change, error) {
	return engine.Change{Diff: "a rollout"}, nil
}

func (r *rollout) Apply(context.Context, engine.Change) (engine.Outcome, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return engine.Outcome{Status: engine.Running, Detail: "begun"}, r.refuses
}

func (r *rollout) Verify(context.Context, engine.Change) (engine.Outcome, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	return r.out, r.lost
}

func (r *rollout) set(out engine.Outcome, lost error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.out, r.lost, r.refuses, r.asked = out, lost, nil, 0
}

func (r *rollout) verified() int { r.mu.Lock(); defer r.mu.Unlock(); return r.asked }

func stalledBench(t *testing.T) (*bench, *rollout) {
	const job = `package scanflow.strategies.t.job

propose contains {"primitive": "job", "with": {}, "reason": "load", "because": ["load"]} if input.signals.load.value > 30
`
	b := newBench(t, job)
	b.stalled = make(chan engine.Act, 1000)
	r := &rollout{}
	b.verbs["job"] = engine.Verb{Actuator: r, Claim: func(map[string]any) string { return "pods" }}
	b.world.set("web", 1)
	b.load.setValue("web", 35)
	return b, r
}

func (b *bench) runOnce() {
	b.run(b.spec(func(s *engine.Spec) {
		s.Triggers, s.Strategies = []engine.Trigger{{At: start}}, []string{"t.job"}
	}))
	b.next()
}

// passes moves the clock until a condition holds.
func (b *bench) passes(is func() bool) {
	b.t.Helper()
	require.Eventually(b.t, func() bool { b.clock.Advance(50 * time.Millisecond); return is() }, 20*time.Second, time.Millisecond)
}

func TestAnObstacleIsReportedAtOnceAndOnceItIsGone(t *testing.T) {
	b, r := stalledBench(t)
	running := func(obstacle string) engine.Outcome {
		return engine.Outcome{Status: engine.Running, Detail: "1 of 3 ready", Obstacle: obstacle}
	}
	r.set(running(""), nil)
	b.runOnce()
	b.passes(func() bool { return r.verified() > 2 })
	require.Empty(t, b.stalled, "nothing is in the way")

	before := b.clock.Now()
	r.set(running("exceeded quota: used 3"), nil)
	b.passes(func() bool { return len(b.stalled) == 1 })
	require.Less(t, b.clock.Now().Sub(before), 3*time.Second)
	at := <-b.stalled
	require.Equal(t, "job", at.Primitive)
	require.Equal(t, "web", at.Target.Name)
	require.Equal(t, engine.Outcome{Status: engine.Running, Detail: "1 of 3 ready", Applied: true, Obstacle: "exceeded quota: used 3"}, at.Outcome)

	r.set(running("exceeded quota: used 4"), nil)
	before = b.clock.Now()
	b.passes(func() bool { return b.clock.Now().Sub(before) > 15*time.Second && r.verified() > 2 })
	require.Empty(t, b.stalled, "only numbers changed")

	r.set(running("can't pull image"), nil)
	b.passes(func() bool { return len(b.stalled) == 1 })
	require.Equal(t, "can't pull image", (<-b.stalled).Outcome.Obstacle)

	before = b.clock.Now()
	r.set(running(""), nil)
	b.passes(func() bool { return len(b.stalled) == 1 })
	require.GreaterOrEqual(t, b.clock.Now().Sub(before), 5*time.Second, "not each flap is a report")
	require.Empty(t, (<-b.stalled).Outcome.Obstacle)

	r.set(engine.Outcome{Status: engine.Done}, nil)
	b.passes(func() bool { return len(b.acted) == 1 })
	require.Equal(t, engine.Done, b.nextAct().Outcome.Status)
	require.Empty(t, b.stalled)
}

func TestTheDeadlineNamesTheObstacle(t *testing.T) {
	for name, row := range map[string]struct{ detail, obstacle, want string }{
		"an obstacle":                 {"1 of 3 ready", "exceeded quota", "not done by its deadline: 1 of 3 ready; exceeded quota"},
		"none":                        {"1 of 3 ready", "", "not done by its deadline: 1 of 3 ready"},
		"one that the detail repeats": {"not ready: no nodes", "no nodes", "not done by its deadline: not ready: no nodes"},
	} {
		t.Run(name, func(t *testing.T) {
			b, r := stalledBench(t)
			b.verbs["job"] = engine.Verb{Actuator: r, Deadline: 300 * time.Millisecond} // of the wall clock
			r.set(engine.Outcome{Status: engine.Running, Detail: row.detail, Obstacle: row.obstacle}, nil)
			b.runOnce()
			b.passes(func() bool { return len(b.acted) == 1 })
			require.Equal(t, engine.Outcome{Status: engine.Failed, Detail: row.want, Applied: true}, b.nextAct().Outcome)
		})
	}
}

// A write that is refused for now, and a state that can't be read, are obstacles too.
func TestAnErrorThatMayPassIsAnObstacle(t *testing.T) {
	b, r := stalledBench(t)
	r.refuses = engine.Retry(errors.New("a disruption budget allows no eviction"))
	b.runOnce()
	b.passes(func() bool { return len(b.stalled) == 1 })
	require.Equal(t, "a disruption budget allows no eviction", (<-b.stalled).Outcome.Obstacle)
	r.set(engine.Outcome{Status: engine.Running, Detail: "1 of 3 ready"}, nil)
	b.passes(func() bool { return len(b.stalled) == 1 })
	require.Empty(t, (<-b.stalled).Outcome.Obstacle)
	r.set(engine.Outcome{}, errors.New("forbidden"))
	b.passes(func() bool { return len(b.stalled) == 1 })
	out := (<-b.stalled).Outcome
	require.Equal(t, "forbidden", out.Obstacle)
	require.Equal(t, "1 of 3 ready", out.Detail, "as it was last known")
	r.set(engine.Outcome{Status: engine.Done}, nil)
	b.passes(func() bool { return len(b.acted) == 1 })
}

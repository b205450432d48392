package loop_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// jobs is an actuator whose acts run on their own and can be undone.
type jobs struct {
	mu      sync.Mutex
	at      map[string]engine.Status // by identity
	undone  []string
	written []time.Time // Written of each plan's proposal
}

func (j *jobs) Plan(_ context.Context, p engine.Proposal) (engine.Change, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.written = append(j.written, p.Written)
	return engine.Change{Diff: "a job"}, nil
}

func (j *jobs) Apply(_ context.Context, c engine.Change) (engine.Outcome, error) {
	j.set(c.Identity, engine.Running)
	return engine.Outcome{Status: engine.Running}, nil
}

func (j *jobs) Verify(_ context.Context, c engine.Change) (engine.Outcome, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return engine.Outcome{Status: j.at[c.Identity], Detail: "as the world has it"}, nil
}

func (j *jobs) Resume(_ context.Context, c engine.Change) (bool, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	_, begun := j.at[c.Identity]
	return begun, nil
}

func (j *jobs) Undo(_ context.Context, c engine.Change) (engine.Outcome, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.undone = append(j.undone, c.Identity)
	return engine.Outcome{Status: engine.Done, Detail: "as it was"}, nil
}

func (j *jobs) set(identity string, s engine.Status) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.at[identity] = s
}

func (j *jobs) forget() {
	j.mu.Lock()
	defer j.mu.Unlock()
	clear(j.at)
}

func (j *jobs) begun() (all []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for identity := range j.at {
		all = append(all, identity)
	}
	return all
}

const starting = `package scanflow.strategies.t.starting

propose contains p if {
	input.signals.load.value > 10
	p := {"primitive": "job", "with": {}, "reason": "load", "because": ["load"]}
}
`

func (b *bench) startsJobs(s *engine.Spec) { s.Strategies = []string{"t.starting"} }

// advanceToAct moves the clock until an act ends.
func (b *bench) advanceToAct() engine.Act {
	b.t.Helper()
	require.Eventually(b.t, func() bool { b.clock.Advance(100 * time.Millisecond); return len(b.acted) > 0 }, 10*time.Second, time.Millisecond)
	return b.nextAct()
}

// After a restart, the agent follows a running act to its end under the same identity, and
// does not start it again.
func TestARunningActIsFollowedAfterARestart(t *testing.T) {
	b := newBench(t, starting)
	b.world.set("web", 1)
	b.load.setValue("web", 20)
	b.run(b.spec(b.startsJobs))
	b.next()
	require.Eventually(t, func() bool { return len(b.jobs.begun()) == 1 }, 5*time.Second, time.Millisecond)
	identity := b.jobs.begun()[0]

	b.restart()
	b.run(b.spec(b.startsJobs))
	require.Equal(t, "claims", only(t, b.next()).By, "it still holds its claim")
	b.jobs.set(identity, engine.Done)
	act := b.advanceToAct()
	require.Equal(t, identity, act.Identity)
	require.Equal(t, engine.Done, act.Outcome.Status)
	require.Equal(t, []string{identity}, b.jobs.begun()[:1])

	// The next proposal has the time of the agent's last act.
	b.clock.Advance(10 * time.Second)
	b.next()
	b.tick()
	b.jobs.mu.Lock()
	defer b.jobs.mu.Unlock()
	require.Contains(t, b.jobs.written, act.At)
	require.True(t, b.jobs.written[0].IsZero())
}

// rollouts is an actuator that sets a state which takes a while to reach.
type rollouts struct{ jobs *jobs }

func (r rollouts) Plan(ctx context.Context, p engine.Proposal) (engine.Change, error) {
	c, err := r.jobs.Plan(ctx, p)
	c.NoOp = len(r.jobs.begun()) > 0
	return c, err
}

func (r rollouts) Apply(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	return r.jobs.Apply(ctx, c)
}

func (r rollouts) Verify(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	return r.jobs.Verify(ctx, c)
}

// A change that is applied and has not ended keeps its claim across a restart.
func TestARunningRolloutIsFollowedAfterARestart(t *testing.T) {
	b := newBench(t, starting)
	b.world.set("web", 1)
	b.load.setValue("web", 20)
	run := func() {
		b.verbs["job"] = engine.Verb{Actuator: rollouts{b.jobs}, Claim: func(map[string]any) string { return "model" }, Deadline: time.Hour}
		b.run(b.spec(b.startsJobs))
		b.next()
	}
	run()
	require.Eventually(t, func() bool { return len(b.jobs.begun()) == 1 }, 5*time.Second, time.Millisecond)
	identity := b.jobs.begun()[0]
	b.restart()
	run()
	b.clock.Advance(time.Minute)
	b.next()
	require.Len(t, b.manager.Claims(), 1)
	require.Equal(t, "running", b.manager.Claims()[0].State)
	require.Empty(t, b.acted)
	b.jobs.set(identity, engine.Done)
	act := b.advanceToAct()
	require.Equal(t, identity, act.Identity)
	require.Equal(t, "as the world has it", act.Outcome.Detail)
	require.Empty(t, b.manager.Claims())
}

// An act whose intent was written and that never began is abandoned, and decided again.
func TestAnActThatNeverBeganIsNotFollowed(t *testing.T) {
	b := newBench(t, starting)
	b.world.set("web", 1)
	require.NoError(t, b.journal.Intend(t.Context(), engine.Intent{
		Change: engine.Change{Proposal: engine.Proposal{Identity: "lost", Agent: "ns/planner", Target: engine.Target{Kind: "Deployment", Namespace: "ns", Name: "web"}, Strategy: "t.starting", Primitive: "job"}},
		Claim:  "workflow/job", At: start,
	}))
	b.run(b.spec(b.startsJobs))
	act := b.nextAct()
	require.Equal(t, engine.Abandoned, act.Outcome.Status)
	require.Empty(t, b.jobs.begun())
}

// An act that was applied and then failed is undone if its actuator can.
func TestAFailedActIsUndone(t *testing.T) {
	b := newBench(t, starting)
	b.world.set("web", 1)
	b.load.setValue("web", 20)
	b.run(b.spec(b.startsJobs))
	b.next()
	require.Eventually(t, func() bool { return len(b.jobs.begun()) == 1 }, 5*time.Second, time.Millisecond)
	identity := b.jobs.begun()[0]
	b.jobs.set(identity, engine.Failed)
	act := b.advanceToAct()
	require.Equal(t, engine.Outcome{Status: engine.Failed, Detail: "as the world has it; undone: as it was", Applied: true}, act.Outcome)
	require.Equal(t, []string{identity}, b.jobs.undone)
}

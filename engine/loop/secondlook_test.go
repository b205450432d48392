package loop_test

import (
	"errors"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// approved has a person approve what waits.
func (b *bench) approved() engine.Approval {
	b.t.Helper()
	p, err := b.host.Approvals.Decide(b.t.Context(), b.question().ID, true, "ada", "")
	require.NoError(b.t, err)
	return p
}

// An approval ends only where the world could be looked at.
func TestAnApprovalOutlivesAWorldThatCantBeSeen(t *testing.T) {
	const failing = `package scanflow.strategies.t.scaling

propose contains {"primitive": "scale", "with": {"replicas": 1 / (input.target.replicas.desired - 1)}, "reason": "load", "because": []}
`
	const denying = `package scanflow.guards.t.never

deny contains "not now"
`
	for name, before := range map[string]func(*bench){
		"the targets can't be listed": func(b *bench) {
			b.world.mu.Lock()
			defer b.world.mu.Unlock()
			b.world.lost = errors.New("no answer")
		},
		"its strategy fails": func(b *bench) {
			b.files["p0.rego"] = &fstest.MapFile{Data: []byte(failing)}
			require.NoError(t, b.policies.Load(t.Context()))
		},
		"what was clamped is denied before it is": func(b *bench) {
			b.files["deny.rego"] = &fstest.MapFile{Data: []byte(denying)}
			require.NoError(t, b.policies.Load(t.Context()))
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.world.set("web", 1)
			b.load.to("web", 95)
			b.run(b.spec(asksFirst, func(s *engine.Spec) { s.Guards.Replicas = &engine.ReplicaGuard{Max: 4} }))
			b.next()
			before(b)
			q := b.approved()
			require.Equal(t, q.ID, b.next().Trigger.Approval)
			require.Equal(t, engine.ApprovalApproved, b.approval(q.ID).State, b.approval(q.ID).Detail)
			require.Zero(t, b.world.count())
		})
	}
}

// A strategy that acts on an absence proposes nothing while its sensor fails.
func TestAnApprovalOfWhatRestsOnAnAbsenceOutlivesASensorThatFails(t *testing.T) {
	b := newBench(t, `package scanflow.strategies.t.absent

propose contains {"primitive": "scale", "with": {"replicas": 2}, "reason": "gone", "because": ["load:empty"]} if input.signals.load.state == "empty"
`)
	b.world.set("web", 1)
	b.run(b.spec(asksFirst, func(s *engine.Spec) { s.Strategies = []string{"t.absent"} }))
	b.next()
	b.load.set("web", engine.Signal{State: engine.Error})
	q := b.approved()
	b.next()
	require.Equal(t, engine.ApprovalApproved, b.approval(q.ID).State)
	b.load.to("web", 5)
	b.eventually(func() bool { return b.approval(q.ID).State == engine.ApprovalLapsed })
	require.Zero(t, b.world.count())
}

// An approval is used up by the act, and by nothing else.
func TestAnApprovalIsNotUsedUpByWhatAClaimHoldsBack(t *testing.T) {
	b := newBench(t)
	release := make(chan struct{})
	b.world.set("web", 1)
	b.load.to("web", 35)
	rival := b.spec(func(s *engine.Spec) { s.Name, s.Triggers = "rival", []engine.Trigger{{At: start.Add(time.Second)}} })
	b.run(rival, b.spec(asksFirst))
	b.next()
	b.world.mu.Lock()
	b.world.block = func(string) <-chan struct{} { return release }
	b.world.mu.Unlock()
	b.clock.Advance(time.Second)
	require.Equal(t, engine.Admitted, only(t, b.next()).Verdict)
	q := b.approved()
	held := only(t, b.next())
	require.Equal(t, "claims", held.By, held.Detail)
	require.Equal(t, engine.ApprovalApproved, b.approval(q.ID).State)
	close(release)
	b.settled()
	b.world.set("web", 1)
	b.eventually(func() bool { return b.approval(q.ID).State == engine.ApprovalUsed })
	require.Equal(t, "ns/planner", b.settled().Agent)
	require.Equal(t, 2, b.world.count())
}

// Nobody is asked again about what is being done.
func TestNobodyIsAskedAboutAnActUnderWay(t *testing.T) {
	b := newBench(t)
	release := make(chan struct{})
	b.world.block = func(string) <-chan struct{} { return release }
	b.world.set("web", 1)
	b.load.to("web", 35)
	b.run(b.spec(asksFirst))
	b.next()
	b.approved()
	require.Equal(t, engine.Admitted, only(t, b.next()).Verdict)
	again := only(t, b.tick())
	require.Equal(t, "claims", again.By, again.Detail)
	close(release)
	b.settled()
}

// A verb that no longer waits for persons, because the manifest was changed, still uses
// its approval up: it acts once.
func TestAnApprovalThatIsNoLongerNeededActsOnce(t *testing.T) {
	b := newBench(t, answering)
	b.world.set("web", 1)
	b.run(b.spec(answers, func(s *engine.Spec) { s.Guards.Approval = []string{"hook"} }))
	require.NoError(t, b.host.Router.Publish(t.Context(), event("1")))
	b.next()
	q := b.question()
	b.restart()
	_, err := b.host.Approvals.Decide(t.Context(), q.ID, true, "ada", "")
	require.NoError(t, err)
	b.run(b.spec(answers))
	require.Equal(t, engine.Admitted, only(t, b.next()).Verdict)
	b.settled()
	require.Equal(t, engine.ApprovalUsed, b.approval(q.ID).State)
	require.NoError(t, b.host.Router.Publish(t.Context(), event("2")))
	b.clock.Advance(time.Minute)
	require.Equal(t, "2", only(t, b.next()).With["id"])
	b.settled()
	require.Len(t, b.world.sent, 2)
}

// An approved act whose firing could not be recorded is done once it can be.
func TestAnApprovalIsNotUsedUpByAFiringThatIsNotRecorded(t *testing.T) {
	b := newBench(t)
	b.close()
	var f *flaky
	b.wrap = func(j engine.Journal) engine.Journal { f = &flaky{Journal: j}; return f }
	b.open()
	b.world.set("web", 1)
	b.load.to("web", 35)
	b.run(b.spec(asksFirst))
	b.next()
	f.firing.Store(true)
	q := b.approved()
	require.Equal(t, "journal", only(t, b.next()).By)
	require.Equal(t, engine.ApprovalApproved, b.approval(q.ID).State)
	f.firing.Store(false)
	b.eventually(func() bool { return b.world.count() == 1 })
	require.Equal(t, engine.ApprovalUsed, b.approval(q.ID).State)
}

// An event over which a question was put is handled, though another strategy failed:
// the question stands for it, and would be put twice.
func TestAnEventOverWhichAPersonWasAskedIsHandled(t *testing.T) {
	b := newBench(t, answering, `package scanflow.strategies.t.failing

propose contains {"primitive": "scale", "with": {"replicas": 1 / input.trigger.event.data.by}, "reason": "divide", "because": []} if input.trigger.event
`)
	b.world.set("web", 1)
	b.run(b.spec(answers, func(s *engine.Spec) {
		s.Strategies, s.Guards.Approval = []string{"t.answering", "t.failing"}, []string{"hook"}
	}))
	e := event("1")
	e.Data = map[string]any{"by": 0.0}
	require.NoError(t, b.host.Router.Publish(t.Context(), e))
	require.Equal(t, engine.Waiting, only(t, b.next()).Verdict)
	waiting, err := b.journal.Inbox(t.Context(), "ns/answerer", 1)
	require.NoError(t, err)
	require.Empty(t, waiting)
	b.approved()
	require.Equal(t, "1", only(t, b.next()).With["id"])
	b.settled()
	require.Len(t, b.world.sent, 1)
}

// A dry run leaves the approvals of the agent in earnest alone.
func TestADryRunEndsNoApproval(t *testing.T) {
	b := newBench(t)
	b.world.set("web", 1)
	b.load.to("web", 35)
	b.run(b.spec(asksFirst))
	b.next()
	q := b.question()
	b.restart()
	b.load.to("web", 5) // no longer wanted
	_, err := b.host.Approvals.Decide(t.Context(), q.ID, true, "ada", "")
	require.NoError(t, err)
	b.run(b.spec(asksFirst, func(s *engine.Spec) { s.Mode = engine.DryRun }))
	b.next()
	b.tick()
	require.Equal(t, engine.ApprovalApproved, b.approval(q.ID).State)
}

// While an approved act is held back, the journal does not fill with what is known.
func TestAnApprovedActThatIsHeldBackIsToldOnce(t *testing.T) {
	b := newBench(t)
	release := make(chan struct{})
	b.world.set("web", 1)
	b.world.set("other", 1)
	b.load.to("web", 35)
	b.load.to("other", 35)
	b.run(b.spec(func(s *engine.Spec) { s.Name, s.Triggers = "rival", []engine.Trigger{{At: start.Add(time.Second)}} }), b.spec(asksFirst, func(s *engine.Spec) {
		s.Guards.ApprovalExpiry = time.Hour
		s.Triggers = []engine.Trigger{{Name: "tick", Every: 4 * time.Second}}
	}))
	require.Len(t, b.next().Decisions, 2)
	b.world.mu.Lock()
	b.world.block = func(string) <-chan struct{} { return release }
	b.world.mu.Unlock()
	b.clock.Advance(time.Second)
	require.Equal(t, "ns/rival", b.next().Agent)
	list, err := b.journal.Approvals(t.Context(), "", time.Time{})
	require.NoError(t, err)
	_, err = b.host.Approvals.Decide(t.Context(), list[0].ID, true, "ada", "")
	require.NoError(t, err)
	told, looks, held := 0, 0, ""
	for looks < 4 {
		b.eventually(func() bool { return len(b.fired) > 0 })
		f := b.next()
		told += len(f.Decisions)
		if f.Trigger.Approval != "" {
			looks++
		}
		for _, d := range f.Decisions {
			if d.Approval != nil && d.Approval.State == engine.ApprovalApproved && d.By == "claims" {
				held = d.Detail
			}
		}
	}
	require.Contains(t, held, "replicas is held by scale of ns/rival (running) (approved by ada at ", "who let it is said of what another guard holds back")
	require.LessOrEqual(t, told, 3, "what is held back, and by whom, once for each way of looking")
	close(release)
}

package loop_test

import (
	"errors"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// approve approves the only approval that waits.
func (b *bench) approve() engine.Approval {
	b.t.Helper()
	p, err := b.manager.Approvals.Decide(b.t.Context(), b.waitingApproval().ID, true, "ada", "")
	require.NoError(b.t, err)
	return p
}

// An approval does not end where its recheck could not read the world or run the policies.
func TestAnApprovalOutlivesAFailedRecheck(t *testing.T) {
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
		"a guard denies before the clamp": func(b *bench) {
			b.files["deny.rego"] = &fstest.MapFile{Data: []byte(denying)}
			require.NoError(t, b.policies.Load(t.Context()))
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.world.set("web", 1)
			b.load.setValue("web", 95)
			b.run(b.spec(needsApproval, func(s *engine.Spec) { s.Guards.Replicas = &engine.ReplicaGuard{Max: 4} }))
			b.next()
			before(b)
			q := b.approve()
			require.Equal(t, q.ID, b.next().Trigger.Approval)
			require.Equal(t, engine.ApprovalApproved, b.approval(q.ID).State, b.approval(q.ID).Detail)
			require.Zero(t, b.world.count())
		})
	}
}

// A strategy that acts on an empty signal proposes nothing while its sensor fails.
func TestAnApprovalBasedOnAnEmptySignalOutlivesASensorFailure(t *testing.T) {
	b := newBench(t, `package scanflow.strategies.t.absent

propose contains {"primitive": "scale", "with": {"replicas": 2}, "reason": "gone", "because": ["load:empty"]} if input.signals.load.state == "empty"
`)
	b.world.set("web", 1)
	b.run(b.spec(needsApproval, func(s *engine.Spec) { s.Strategies = []string{"t.absent"} }))
	b.next()
	b.load.set("web", engine.Signal{State: engine.Error})
	q := b.approve()
	b.next()
	require.Equal(t, engine.ApprovalApproved, b.approval(q.ID).State)
	b.load.setValue("web", 5)
	b.eventually(func() bool { return b.approval(q.ID).State == engine.ApprovalLapsed })
	require.Zero(t, b.world.count())
}

// Only the act uses its approval.
func TestAClaimThatBlocksAnActDoesNotUseItsApproval(t *testing.T) {
	b := newBench(t)
	release := make(chan struct{})
	b.world.set("web", 1)
	b.load.setValue("web", 35)
	rival := b.spec(func(s *engine.Spec) { s.Name, s.Triggers = "rival", []engine.Trigger{{At: start.Add(time.Second)}} })
	b.run(rival, b.spec(needsApproval))
	b.next()
	b.world.mu.Lock()
	b.world.block = func(string) <-chan struct{} { return release }
	b.world.mu.Unlock()
	b.clock.Advance(time.Second)
	require.Equal(t, engine.Admitted, only(t, b.next()).Verdict)
	q := b.approve()
	held := only(t, b.next())
	require.Equal(t, "claims", held.By, held.Detail)
	require.Equal(t, engine.ApprovalApproved, b.approval(q.ID).State)
	close(release)
	b.nextAct()
	b.world.set("web", 1)
	b.eventually(func() bool { return b.approval(q.ID).State == engine.ApprovalUsed })
	require.Equal(t, "ns/planner", b.nextAct().Agent)
	require.Equal(t, 2, b.world.count())
}

func TestNoApprovalIsRequestedForARunningAct(t *testing.T) {
	b := newBench(t)
	release := make(chan struct{})
	b.world.block = func(string) <-chan struct{} { return release }
	b.world.set("web", 1)
	b.load.setValue("web", 35)
	b.run(b.spec(needsApproval))
	b.next()
	b.approve()
	require.Equal(t, engine.Admitted, only(t, b.next()).Verdict)
	again := only(t, b.tick())
	require.Equal(t, "claims", again.By, again.Detail)
	close(release)
	b.nextAct()
}

// An approval is used, and its act done once, even if the manifest no longer requires
// approval for the verb.
func TestAnApprovalThatIsNoLongerNeededActsOnce(t *testing.T) {
	b := newBench(t, answering)
	b.world.set("web", 1)
	b.run(b.spec(handlesEvents, func(s *engine.Spec) { s.Guards.Approval = []string{"hook"} }))
	require.NoError(t, b.manager.Router.Publish(t.Context(), event("1")))
	b.next()
	q := b.waitingApproval()
	b.restart()
	_, err := b.manager.Approvals.Decide(t.Context(), q.ID, true, "ada", "")
	require.NoError(t, err)
	b.run(b.spec(handlesEvents))
	require.Equal(t, engine.Admitted, only(t, b.next()).Verdict)
	b.nextAct()
	require.Equal(t, engine.ApprovalUsed, b.approval(q.ID).State)
	require.NoError(t, b.manager.Router.Publish(t.Context(), event("2")))
	b.clock.Advance(time.Minute)
	require.Equal(t, "2", only(t, b.next()).With["id"])
	b.nextAct()
	require.Len(t, b.world.sent, 2)
}

// An approved act whose firing could not be recorded is done once the journal is writable.
func TestAFiringThatIsNotRecordedDoesNotUseItsApproval(t *testing.T) {
	b := newBench(t)
	b.close()
	var f *failingJournal
	b.wrap = func(j engine.Journal) engine.Journal { f = &failingJournal{Journal: j}; return f }
	b.open()
	b.world.set("web", 1)
	b.load.setValue("web", 35)
	b.run(b.spec(needsApproval))
	b.next()
	f.firing.Store(true)
	q := b.approve()
	require.Equal(t, "journal", only(t, b.next()).By)
	require.Equal(t, engine.ApprovalApproved, b.approval(q.ID).State)
	f.firing.Store(false)
	b.eventually(func() bool { return b.world.count() == 1 })
	require.Equal(t, engine.ApprovalUsed, b.approval(q.ID).State)
}

// An event for which an approval was requested counts as handled even if another strategy
// failed: a retry would request a second approval.
func TestAnEventWithARequestedApprovalIsHandled(t *testing.T) {
	b := newBench(t, answering, `package scanflow.strategies.t.failing

propose contains {"primitive": "scale", "with": {"replicas": 1 / input.trigger.event.data.by}, "reason": "divide", "because": []} if input.trigger.event
`)
	b.world.set("web", 1)
	b.run(b.spec(handlesEvents, func(s *engine.Spec) {
		s.Strategies, s.Guards.Approval = []string{"t.answering", "t.failing"}, []string{"hook"}
	}))
	e := event("1")
	e.Data = map[string]any{"by": 0.0}
	require.NoError(t, b.manager.Router.Publish(t.Context(), e))
	require.Equal(t, engine.Waiting, only(t, b.next()).Verdict)
	waiting, err := b.journal.Inbox(t.Context(), "ns/answerer", 1)
	require.NoError(t, err)
	require.Empty(t, waiting)
	b.approve()
	require.Equal(t, "1", only(t, b.next()).With["id"])
	b.nextAct()
	require.Len(t, b.world.sent, 1)
}

// A dry run does not change the approvals that the enforcing agent requested.
func TestADryRunEndsNoApproval(t *testing.T) {
	b := newBench(t)
	b.world.set("web", 1)
	b.load.setValue("web", 35)
	b.run(b.spec(needsApproval))
	b.next()
	q := b.waitingApproval()
	b.restart()
	b.load.setValue("web", 5) // no longer wanted
	_, err := b.manager.Approvals.Decide(t.Context(), q.ID, true, "ada", "")
	require.NoError(t, err)
	b.run(b.spec(needsApproval, func(s *engine.Spec) { s.Mode = engine.DryRun }))
	b.next()
	b.tick()
	require.Equal(t, engine.ApprovalApproved, b.approval(q.ID).State)
}

// Repeated rechecks of a blocked act do not fill the journal.
func TestABlockedApprovedActIsRecordedOnce(t *testing.T) {
	b := newBench(t)
	release := make(chan struct{})
	b.world.set("web", 1)
	b.world.set("other", 1)
	b.load.setValue("web", 35)
	b.load.setValue("other", 35)
	b.run(b.spec(func(s *engine.Spec) { s.Name, s.Triggers = "rival", []engine.Trigger{{At: start.Add(time.Second)}} }), b.spec(needsApproval, func(s *engine.Spec) {
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
	_, err = b.manager.Approvals.Decide(t.Context(), list[0].ID, true, "ada", "")
	require.NoError(t, err)
	recorded, rechecks, held := 0, 0, ""
	for rechecks < 4 {
		b.eventually(func() bool { return len(b.fired) > 0 })
		f := b.next()
		recorded += len(f.Decisions)
		if f.Trigger.Approval != "" {
			rechecks++
		}
		for _, d := range f.Decisions {
			if d.Approval != nil && d.Approval.State == engine.ApprovalApproved && d.By == "claims" {
				held = d.Detail
			}
		}
	}
	require.Contains(t, held, "replicas is held by scale of ns/rival (running) (approved by ada at ", "the detail names the approver and the claim")
	require.LessOrEqual(t, recorded, 3, "one decision by a tick and one by a recheck")
	close(release)
}

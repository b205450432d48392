package loop_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

func needsApproval(s *engine.Spec) {
	s.Guards.Approval, s.Guards.ApprovalExpiry = []string{"scale"}, time.Minute
}

// waitingApproval returns the only approval that waits.
func (b *bench) waitingApproval() engine.Approval {
	b.t.Helper()
	list, err := b.journal.Approvals(b.t.Context(), "", time.Time{})
	require.NoError(b.t, err)
	var waiting []engine.Approval
	for _, p := range list {
		if p.State == engine.ApprovalWaiting {
			waiting = append(waiting, p)
		}
	}
	require.Len(b.t, waiting, 1)
	return waiting[0]
}

func (b *bench) approval(id string) engine.Approval {
	b.t.Helper()
	p, err := b.journal.Approval(b.t.Context(), id)
	require.NoError(b.t, err)
	return p
}

func TestAProposalWaitsForApproval(t *testing.T) {
	b := newBench(t)
	b.world.set("web", 1)
	b.load.setValue("web", 35)
	b.run(b.spec(needsApproval))
	d := only(t, b.next())
	require.Equal(t, engine.Waiting, d.Verdict)
	require.Equal(t, "guards.approval", d.By)
	q := b.waitingApproval()
	require.Equal(t, "replicas 1 -> 4: waits for a person until "+q.Expires.Format(time.RFC3339)+": "+q.ID, d.Detail)
	require.Equal(t, &engine.Answer{ID: q.ID, State: engine.ApprovalWaiting, Expires: q.Expires}, d.Approval)
	require.Equal(t, "replicas 1 -> 4", q.Diff)
	require.Empty(t, b.tick().Decisions, "one approval is requested and recorded, once")
	require.Equal(t, q.ID, b.waitingApproval().ID)
	require.Zero(t, b.world.count())

	_, err := b.manager.Approvals.Decide(t.Context(), q.ID, true, "ada", "load is real")
	require.NoError(t, err)
	second := b.next()
	require.Equal(t, q.ID, second.Trigger.Approval, "the recheck is immediate")
	d = only(t, second)
	require.Equal(t, engine.Admitted, d.Verdict)
	at := b.clock.Now()
	require.Equal(t, "replicas 1 -> 4 (approved by ada at "+at.Format(time.RFC3339)+`, "load is real": `+q.ID+")", d.Detail)
	require.Equal(t, &engine.Answer{ID: q.ID, State: engine.ApprovalApproved, By: "ada", Why: "load is real", Decided: at, Expires: q.Expires}, d.Approval)
	act := b.nextAct()
	require.Equal(t, map[string]int{"web": 4}, b.world.state())
	used := b.approval(q.ID)
	require.Equal(t, engine.ApprovalUsed, used.State)
	require.Equal(t, "ada", used.By)
	require.Equal(t, "load is real", used.Why)
	require.Equal(t, act.Identity, used.Identity)

	_, err = b.manager.Approvals.Decide(t.Context(), q.ID, false, "bob", "")
	require.ErrorIs(t, err, engine.ErrApprovalState, "it has ended")
	require.ErrorContains(t, err, "answered by ")
	_, err = b.manager.Approvals.Decide(t.Context(), "nothing", false, "bob", "")
	require.ErrorIs(t, err, engine.ErrNoApproval)
}

func TestALateApprovalIsRechecked(t *testing.T) {
	for name, row := range map[string]struct {
		before func(*bench)
		want   engine.ApprovalState
		detail string
	}{
		"no longer wanted":      {func(b *bench) { b.load.setValue("web", 10) }, engine.ApprovalLapsed, "does not propose it any more"},
		"something else wanted": {func(b *bench) { b.load.setValue("web", 95) }, engine.ApprovalLapsed, "does not propose it any more"},
		"its target is gone":    {func(b *bench) { b.world.mu.Lock(); delete(b.world.replicas, "web"); b.world.mu.Unlock() }, engine.ApprovalLapsed, "not there any more"},
		"the signal is missing": {func(b *bench) { b.load.set("web", engine.Signal{State: engine.Empty}) }, engine.ApprovalApproved, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.world.set("web", 1)
			b.load.setValue("web", 35)
			b.run(b.spec(needsApproval))
			b.next()
			q := b.waitingApproval()
			row.before(b)
			_, err := b.manager.Approvals.Decide(t.Context(), q.ID, true, "ada", "")
			require.NoError(t, err)
			f := b.next()
			require.Equal(t, q.ID, f.Trigger.Approval)
			require.Empty(t, f.Decisions)
			got := b.approval(q.ID)
			require.Equal(t, row.want, got.State)
			require.Contains(t, got.Detail, row.detail)
			require.Zero(t, b.world.count())
		})
	}
}

// An approved act that another guard refuses is rechecked until it is admitted or its
// approval has expired.
func TestAnApprovedActWaitsForTheOtherGuards(t *testing.T) {
	b := newBench(t)
	b.world.set("web", 1)
	b.load.setValue("web", 35)
	b.run(b.spec(needsApproval))
	b.next()
	q := b.waitingApproval()
	b.load.set("web", engine.Signal{State: engine.Error})
	_, err := b.manager.Approvals.Decide(t.Context(), q.ID, true, "ada", "")
	require.NoError(t, err)
	b.next()
	require.Equal(t, engine.ApprovalApproved, b.approval(q.ID).State)
	b.load.setValue("web", 35)
	require.Eventually(t, func() bool { b.clock.Advance(time.Second); return b.world.count() == 1 }, 10*time.Second, time.Millisecond)
	require.Equal(t, engine.ApprovalUsed, b.approval(q.ID).State)
}

func TestDeniedOrExpiredNeverActs(t *testing.T) {
	b := newBench(t)
	b.world.set("web", 1)
	b.load.setValue("web", 35)
	b.run(b.spec(needsApproval))
	b.next()
	q := b.waitingApproval()
	_, err := b.manager.Approvals.Decide(t.Context(), q.ID, false, "bob", "not tonight")
	require.NoError(t, err)
	d := only(t, b.tick())
	require.Equal(t, engine.Refused, d.Verdict)
	denied := b.approval(q.ID)
	require.Equal(t, "denied by bob at "+denied.Decided.Format(time.RFC3339)+`, "not tonight": `+q.ID, d.Detail)
	require.Equal(t, &engine.Answer{ID: q.ID, State: engine.ApprovalDenied, By: "bob", Why: "not tonight", Decided: denied.Decided, Expires: q.Expires}, d.Approval)
	b.restart()
	b.run(b.spec(needsApproval))
	require.Contains(t, only(t, b.next()).Detail, "denied by bob", "a denial survives a restart")

	for range 6 { // the denial has held for a minute, and a new approval is requested
		b.tick()
	}
	again := b.waitingApproval()
	require.NotEqual(t, q.ID, again.ID)
	require.Eventually(t, func() bool {
		b.clock.Advance(10 * time.Second)
		return b.approval(again.ID).State == engine.ApprovalExpired
	}, 10*time.Second, time.Millisecond)
	_, err = b.manager.Approvals.Decide(t.Context(), again.ID, true, "ada", "")
	require.ErrorIs(t, err, engine.ErrApprovalState)
	require.Zero(t, b.world.count())
}

// A denial holds for the expiry of its approval, and no longer than the current guards'
// expiry.
func TestDurationOfADenial(t *testing.T) {
	for name, row := range map[string]struct{ then, now, holds time.Duration }{
		"its own expiry":                 {time.Minute, time.Hour, time.Minute},
		"the guards' expiry, if shorter": {time.Hour, time.Minute, time.Minute},
		"for days":                       {240 * time.Hour, 240 * time.Hour, 240 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.world.set("web", 1)
			b.load.setValue("web", 35)
			anew := func(after, expiry time.Duration) engine.Decision { // restarts the agent, which reads the journal again
				b.run()
				b.clock.Advance(after)
				require.NoError(t, b.journal.Prune(t.Context()))
				for len(b.fired) > 0 {
					<-b.fired
				}
				b.run(b.spec(needsApproval, func(s *engine.Spec) { s.Guards.ApprovalExpiry = expiry }))
				return only(t, b.next())
			}
			anew(0, row.then)
			denied, err := b.manager.Approvals.Decide(t.Context(), b.waitingApproval().ID, false, "bob", "")
			require.NoError(t, err)
			d := anew(row.holds-time.Second, row.now)
			require.Equal(t, engine.Refused, d.Verdict, d.Detail)
			require.Equal(t, denied.ID, d.Approval.ID)
			d = anew(time.Second, row.now)
			require.Equal(t, engine.Waiting, d.Verdict, d.Detail)
			require.NotEqual(t, denied.ID, d.Approval.ID)
		})
	}
}

func TestAnApprovalGivenWhileTheAgentIsDownIsUsed(t *testing.T) {
	b := newBench(t)
	b.world.set("web", 1)
	b.load.setValue("web", 35)
	b.run(b.spec(needsApproval))
	b.next()
	q := b.waitingApproval()
	b.restart()
	_, err := b.manager.Approvals.Decide(t.Context(), q.ID, true, "ada", "")
	require.NoError(t, err, "the agent does not run at this moment")
	b.run(b.spec(needsApproval))
	require.Eventually(t, func() bool { return b.world.count() == 1 }, 10*time.Second, time.Millisecond)
}

// A recheck has the original trigger, with its event, and does nothing but the approved act.
func TestARecheckDoesOnlyWhatWasApproved(t *testing.T) {
	const both = `package scanflow.strategies.t.both

propose contains p if {
	input.trigger.event.type == "asked"
	p := {"primitive": "hook", "with": {}, "reason": "tell", "because": []}
}

propose contains p if {
	input.trigger.event.type == "asked"
	p := {"primitive": "scale", "with": {"replicas": 3}, "reason": "asked", "because": []}
}
`
	b := newBench(t, both)
	b.world.set("web", 1)
	b.run(b.spec(needsApproval, handlesEvents, func(s *engine.Spec) { s.Strategies = []string{"t.both"} }))
	require.NoError(t, b.manager.Router.Publish(t.Context(), event("1")))
	require.Len(t, b.next().Decisions, 2)
	b.nextAct()
	q := b.waitingApproval()
	_, err := b.manager.Approvals.Decide(t.Context(), q.ID, true, "ada", "")
	require.NoError(t, err)
	second := b.next()
	require.Equal(t, "scale", only(t, second).Primitive)
	require.Equal(t, "1", second.Trigger.Event.ID)
	b.nextAct()
	require.Equal(t, map[string]int{"web": 3}, b.world.state())
	require.Len(t, b.world.sent, 1, "the event was not acted on twice")
}

func TestARequestedApprovalIsAnEvent(t *testing.T) {
	b := newBench(t, `package scanflow.strategies.t.told

propose contains {"primitive": "hook", "with": {"id": input.trigger.event.data.id}, "reason": "told", "because": []} if input.trigger.event
`)
	b.world.set("web", 1)
	b.load.setValue("web", 35)
	pager := b.spec(func(s *engine.Spec) {
		s.Name, s.Strategies = "pager", []string{"t.told"}
		s.Triggers = []engine.Trigger{{Name: "waiting", Event: &engine.EventFilter{Types: []string{engine.ApprovalRequested}}}}
	})
	b.run(pager, b.spec(needsApproval))
	f := only(t, b.nextOf("ns/pager"))
	require.Equal(t, b.waitingApproval().ID, f.With["id"])
	b.nextAct()
}

func TestADryRunRequestsNoApproval(t *testing.T) {
	b := newBench(t)
	b.world.set("web", 1)
	b.load.setValue("web", 35)
	b.run(b.spec(needsApproval, func(s *engine.Spec) { s.Mode = engine.DryRun }))
	require.Equal(t, engine.Waiting, only(t, b.next()).Verdict)
	list, err := b.journal.Approvals(t.Context(), "", time.Time{})
	require.NoError(t, err)
	require.Empty(t, list)
}

package loop_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

func TestIdenticalProposalsOfAFiringShareAnApproval(t *testing.T) {
	b := newBench(t, `package scanflow.strategies.t.twice

propose contains {"primitive": "hook", "with": {"n": 1}, "reason": reason, "because": []} if some reason in ["one", "other"]
`)
	b.world.set("web", 1)
	b.run(b.spec(needsApproval, func(s *engine.Spec) {
		s.Strategies, s.Guards.Approval = []string{"t.twice"}, []string{"hook"}
	}))
	f := b.next()
	require.Len(t, f.Decisions, 2)
	for _, d := range f.Decisions {
		require.Equal(t, engine.Waiting, d.Verdict)
		require.Contains(t, d.Detail, b.waitingApproval().ID)
	}
	b.approve()
	b.next()
	b.nextAct()
	require.Len(t, b.world.sent, 1)
}

// A firing that finds an expired approval which the loop has not ended yet ends it and
// requests a new one.
func TestAnApprovalThatExpiredWhileTheAgentWasBusyIsEnded(t *testing.T) {
	b := newBench(t)
	b.world.set("web", 1)
	var busy atomic.Bool
	slow := &hookedSensor{fakeSensor: b.load, do: func() {
		if busy.CompareAndSwap(true, false) {
			b.clock.Advance(time.Minute)
		}
	}}
	b.load.setValue("web", 35)
	b.run(b.spec(needsApproval, func(s *engine.Spec) {
		s.Sensors[0].Sensor = slow
		s.Triggers = append(s.Triggers, engine.Trigger{Name: "tock", Every: 10 * time.Second})
	}))
	b.next()
	b.next()
	old := b.waitingApproval()
	busy.Store(true)
	b.tick()
	b.next()
	require.NotEqual(t, old.ID, b.waitingApproval().ID)
	require.Equal(t, engine.ApprovalExpired, b.approval(old.ID).State)
}

// hookedSensor calls a function before it samples.
type hookedSensor struct {
	*fakeSensor
	do func()
}

func (l *hookedSensor) Sample(ctx context.Context, at time.Time, fleet []engine.Target) (engine.Reading, error) {
	l.do()
	return l.fakeSensor.Sample(ctx, at, fleet)
}

// interceptedJournal calls functions of the test around some methods of a journal.
type interceptedJournal struct {
	engine.Journal
	save     func(engine.ApprovalChange) error
	read     func() // called after Approvals
	readings func()
	outbox   atomic.Int64 // reads of the outbox
	waiting  func([]engine.Delivery)
	most     int // limit of envelopes for Enqueue; 0: none
}

func (w *interceptedJournal) Enqueue(ctx context.Context, postings []engine.Envelope) (int, error) {
	if len(postings) > w.most && w.most > 0 {
		return 0, fmt.Errorf("%w for the test", engine.ErrTooLarge)
	}
	return w.Journal.Enqueue(ctx, postings)
}

func (w *interceptedJournal) Outbox(ctx context.Context, limit int) ([]engine.Delivery, error) {
	defer w.outbox.Add(1)
	list, err := w.Journal.Outbox(ctx, limit)
	if w.waiting != nil {
		w.waiting(list)
	}
	return list, err
}

func (w *interceptedJournal) Approvals(ctx context.Context, agent string, since time.Time) ([]engine.Approval, error) {
	list, err := w.Journal.Approvals(ctx, agent, since)
	if w.read != nil {
		w.read()
	}
	return list, err
}

func (w *interceptedJournal) SaveApproval(ctx context.Context, c engine.ApprovalChange) error {
	if w.save != nil {
		if err := w.save(c); err != nil {
			return err
		}
	}
	return w.Journal.SaveApproval(ctx, c)
}

func (w *interceptedJournal) LoadReadings(ctx context.Context, agent string) ([]byte, error) {
	if w.readings != nil {
		w.readings()
	}
	return w.Journal.LoadReadings(ctx, agent)
}

// interceptJournal reopens the bench with an interceptedJournal.
func (b *bench) interceptJournal() *interceptedJournal {
	b.close()
	w := &interceptedJournal{}
	b.wrap = func(j engine.Journal) engine.Journal { w.Journal = j; return w }
	b.open()
	return w
}

func TestAnApprovalThatCantBeEndedIsRetriedWithBackoff(t *testing.T) {
	b := newBench(t)
	w := b.interceptJournal()
	var tries atomic.Int64
	w.save = func(engine.ApprovalChange) error { tries.Add(1); return errors.New("no space left") }
	b.world.set("web", 1)
	b.load.setValue("web", 35)
	b.run(b.spec(needsApproval))
	b.next()
	b.load.setValue("web", 10) // nothing more to propose
	for range 12 {
		b.tick()
	}
	require.NotZero(t, tries.Load())
	require.LessOrEqual(t, tries.Load(), int64(1+60/5+1))
}

// A write may fail with an error after the journal stored the decision. The stored decision
// counts.
func TestADecisionWrittenDespiteAnErrorCounts(t *testing.T) {
	b := newBench(t)
	w := b.interceptJournal()
	b.world.set("web", 1)
	b.load.setValue("web", 35)
	b.run(b.spec(needsApproval))
	b.next()
	q, slow := b.waitingApproval(), errors.New("not known whether it was written")
	w.save = func(c engine.ApprovalChange) error {
		w.save = nil
		require.NoError(t, w.Journal.SaveApproval(t.Context(), c))
		return slow
	}
	_, err := b.manager.Approvals.Decide(t.Context(), q.ID, true, "ada", "")
	require.ErrorIs(t, err, slow)
	require.Equal(t, q.ID, b.next().Trigger.Approval)
	b.nextAct()
	require.Equal(t, 1, b.world.count())
}

func TestADecisionWhileTheAgentStartsCounts(t *testing.T) {
	b := newBench(t)
	w := b.interceptJournal()
	b.world.set("web", 1)
	b.load.setValue("web", 35)
	b.run(b.spec(needsApproval))
	b.next()
	q := b.waitingApproval()
	answered := false
	w.readings = func() { // the agent has read its approvals by now
		if !answered {
			answered = true
			_, err := b.manager.Approvals.Decide(context.Background(), q.ID, true, "ada", "")
			require.NoError(t, err)
		}
	}
	b.run(b.spec(needsApproval, func(s *engine.Spec) { s.Generation = "2" }))
	require.True(t, answered)
	require.Equal(t, q.ID, b.next().Trigger.Approval)
	b.nextAct()
	require.Equal(t, 1, b.world.count())
}

// A decision made while the approvals are read takes precedence over what was read.
func TestADecisionWhileTheApprovalsAreReadCounts(t *testing.T) {
	b := newBench(t)
	w := b.interceptJournal()
	b.world.set("web", 1)
	b.load.setValue("web", 35)
	b.run(b.spec(needsApproval))
	b.next()
	q := b.waitingApproval()
	reads := 0
	answered := make(chan error, 1)
	w.read = func() {
		if reads++; reads == 2 { // the first read is at the start, the second after the agent is registered
			_, err := b.manager.Approvals.Decide(context.Background(), q.ID, true, "ada", "")
			answered <- err
		}
	}
	b.run(b.spec(needsApproval, func(s *engine.Spec) { s.Generation = "2" }))
	require.NoError(t, receive(t, answered))
	require.Equal(t, q.ID, b.next().Trigger.Approval)
	b.nextAct()
	require.Equal(t, 1, b.world.count())
}

// An agent that handles the events of its own approvals, and requests approval for that, is
// stopped by the limit of hops.
func TestApprovalsRequestedForApprovalEventsEnd(t *testing.T) {
	b := newBench(t, `package scanflow.strategies.t.told

propose contains {"primitive": "hook", "with": {"id": input.trigger.event.id}, "reason": "told", "because": []} if input.trigger.event
`)
	b.world.set("web", 1)
	b.run(b.spec(func(s *engine.Spec) {
		s.Name, s.Strategies, s.Guards.Approval = "pager", []string{"t.told"}, []string{"hook"}
		s.Triggers = []engine.Trigger{{Name: "waiting", Event: &engine.EventFilter{Types: []string{engine.ApprovalRequested, "asked"}}}}
	}))
	require.NoError(t, b.manager.Router.Publish(t.Context(), event("first")))
	for range engine.MaxHops + 1 {
		require.Equal(t, engine.Waiting, only(t, b.next()).Verdict)
	}
	require.NoError(t, b.manager.Router.Publish(t.Context(), event("last")))
	require.Equal(t, "last", only(t, b.next()).With["id"], "no further hops")
}

func TestAnApprovalThatIsNotRecordedIsNotListed(t *testing.T) {
	b := newBench(t)
	b.close()
	var f *failingJournal
	b.wrap = func(j engine.Journal) engine.Journal { f = &failingJournal{Journal: j}; return f }
	b.open()
	f.firing.Store(true)
	b.world.set("web", 1)
	b.load.setValue("web", 35)
	b.run(b.spec(needsApproval))
	d := only(t, b.next())
	require.Equal(t, engine.Refused, d.Verdict)
	require.Equal(t, "journal", d.By)
	f.firing.Store(false)
	require.Equal(t, engine.Waiting, only(t, b.tick()).Verdict)
	b.waitingApproval()
}

// An approved act that stays blocked until its approval expires ends with the reason.
func TestAnApprovalThatExpiresUnusedHasAReason(t *testing.T) {
	b := newBench(t)
	b.world.set("web", 1)
	b.load.setValue("web", 35)
	b.run(b.spec(needsApproval))
	b.next()
	b.load.set("web", engine.Signal{State: engine.Error})
	q := b.approve()
	b.next()
	b.eventually(func() bool { return b.approval(q.ID).State == engine.ApprovalExpired })
	require.Equal(t, "approved, and it could not be done in time: the signal load is error", b.approval(q.ID).Detail)
	require.Zero(t, b.world.count())
}

// An approved call that a crash interrupted is made after the restart, even if its approval
// would have expired in the meantime.
func TestAnApprovedCallOutlivesACrash(t *testing.T) {
	b := newBench(t, answering)
	release := make(chan struct{})
	b.world.block = func(string) <-chan struct{} { return release }
	b.world.set("web", 1)
	asks := func(s *engine.Spec) { s.Guards.Approval, s.Guards.ApprovalExpiry = []string{"hook"}, time.Minute }
	b.run(b.spec(handlesEvents, asks))
	require.NoError(t, b.manager.Router.Publish(t.Context(), event("1")))
	b.next()
	b.approve()
	require.Equal(t, engine.Admitted, only(t, b.next()).Verdict)
	b.close()
	b.clock.Advance(10 * time.Minute)
	b.open()
	close(release)
	b.run(b.spec(handlesEvents, asks))
	require.Equal(t, engine.Done, b.nextAct().Outcome.Status)
	require.Len(t, b.world.sent, 1)
}

// An agent whose spec is invalid does not run, so it can't end its approvals itself.
func TestAnApprovalOfAnAgentThatDoesNotRunExpires(t *testing.T) {
	b := newBench(t)
	b.world.set("web", 1)
	b.load.setValue("web", 35)
	b.manager.Declared = func(string) bool { return true }
	b.run(b.spec(needsApproval))
	b.next()
	q := b.waitingApproval()
	b.manager.Apply(nil)
	open := func(since time.Time) []engine.Approval {
		list, err := b.manager.Approvals.List(t.Context(), "", since)
		require.NoError(t, err)
		return list
	}
	never := start.Add(time.Hour)
	require.Equal(t, engine.ApprovalWaiting, open(never)[0].State)
	b.clock.Advance(time.Minute)
	require.Empty(t, open(never))
	require.Equal(t, engine.ApprovalExpired, open(q.Expires)[0].State)
}

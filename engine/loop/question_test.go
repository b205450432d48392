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

// Two proposals of one act are one question, and the firing is recorded.
func TestOneActIsAskedAboutOnceInAFiring(t *testing.T) {
	b := newBench(t, `package scanflow.strategies.t.twice

propose contains {"primitive": "hook", "with": {"n": 1}, "reason": reason, "because": []} if some reason in ["one", "other"]
`)
	b.world.set("web", 1)
	b.run(b.spec(asksFirst, func(s *engine.Spec) {
		s.Strategies, s.Guards.Approval = []string{"t.twice"}, []string{"hook"}
	}))
	f := b.next()
	require.Len(t, f.Decisions, 2)
	for _, d := range f.Decisions {
		require.Equal(t, engine.Waiting, d.Verdict)
		require.Contains(t, d.Detail, b.question().ID)
	}
	b.approved()
	b.next()
	b.settled()
	require.Len(t, b.world.sent, 1)
}

// A firing that comes upon a question before the loop has seen that it expired ends it,
// and asks anew.
func TestAQuestionThatExpiredWhileTheAgentWasBusyIsEnded(t *testing.T) {
	b := newBench(t)
	b.world.set("web", 1)
	var busy atomic.Bool
	slow := &late{dial: b.load, do: func() {
		if busy.CompareAndSwap(true, false) {
			b.clock.Advance(time.Minute)
		}
	}}
	b.load.to("web", 35)
	b.run(b.spec(asksFirst, func(s *engine.Spec) {
		s.Sensors[0].Sensor = slow
		s.Triggers = append(s.Triggers, engine.Trigger{Name: "tock", Every: 10 * time.Second})
	}))
	b.next()
	b.next()
	old := b.question()
	busy.Store(true)
	b.tick()
	b.next()
	require.NotEqual(t, old.ID, b.question().ID)
	require.Equal(t, engine.ApprovalExpired, b.approval(old.ID).State)
}

// late does something before it samples.
type late struct {
	*dial
	do func()
}

func (l *late) Sample(ctx context.Context, at time.Time, fleet []engine.Target) (engine.Reading, error) {
	l.do()
	return l.dial.Sample(ctx, at, fleet)
}

// watched is a journal that a test looks into.
type watched struct {
	engine.Journal
	save     func(engine.ApprovalChange) error
	read     func() // approvals were read
	readings func()
	outbox   atomic.Int64 // how often it was read
	waiting  func([]engine.Delivery)
	most     int // postings at once, if it is set
}

func (w *watched) Enqueue(ctx context.Context, postings []engine.Envelope) (int, error) {
	if len(postings) > w.most && w.most > 0 {
		return 0, fmt.Errorf("%w for the test", engine.ErrTooLarge)
	}
	return w.Journal.Enqueue(ctx, postings)
}

func (w *watched) Outbox(ctx context.Context, limit int) ([]engine.Delivery, error) {
	defer w.outbox.Add(1)
	list, err := w.Journal.Outbox(ctx, limit)
	if w.waiting != nil {
		w.waiting(list)
	}
	return list, err
}

func (w *watched) Approvals(ctx context.Context, agent string, since time.Time) ([]engine.Approval, error) {
	list, err := w.Journal.Approvals(ctx, agent, since)
	if w.read != nil {
		w.read()
	}
	return list, err
}

func (w *watched) SaveApproval(ctx context.Context, c engine.ApprovalChange) error {
	if w.save != nil {
		if err := w.save(c); err != nil {
			return err
		}
	}
	return w.Journal.SaveApproval(ctx, c)
}

func (w *watched) LoadReadings(ctx context.Context, agent string) ([]byte, error) {
	if w.readings != nil {
		w.readings()
	}
	return w.Journal.LoadReadings(ctx, agent)
}

// watch puts a journal that is looked into under the bench.
func (b *bench) watch() *watched {
	b.close()
	w := &watched{}
	b.wrap = func(j engine.Journal) engine.Journal { w.Journal = j; return w }
	b.open()
	return w
}

func TestAQuestionThatCantBeEndedYetIsTriedNowAndThen(t *testing.T) {
	b := newBench(t)
	w := b.watch()
	var tries atomic.Int64
	w.save = func(engine.ApprovalChange) error { tries.Add(1); return errors.New("no space left") }
	b.world.set("web", 1)
	b.load.to("web", 35)
	b.run(b.spec(asksFirst))
	b.next()
	b.load.to("web", 10) // nothing more to ask
	for range 12 {
		b.tick()
	}
	require.NotZero(t, tries.Load())
	require.LessOrEqual(t, tries.Load(), int64(1+60/5+1))
}

// The journal may have an answer though whoever gave it was told that it could not be
// written. What it has counts.
func TestAnAnswerThatWasWrittenAfterAllIsHeard(t *testing.T) {
	b := newBench(t)
	w := b.watch()
	b.world.set("web", 1)
	b.load.to("web", 35)
	b.run(b.spec(asksFirst))
	b.next()
	q, slow := b.question(), errors.New("not known whether it was written")
	w.save = func(c engine.ApprovalChange) error {
		w.save = nil
		require.NoError(t, w.Journal.SaveApproval(t.Context(), c))
		return slow
	}
	_, err := b.host.Approvals.Decide(t.Context(), q.ID, true, "ada", "")
	require.ErrorIs(t, err, slow)
	require.Equal(t, q.ID, b.next().Trigger.Approval)
	b.settled()
	require.Equal(t, 1, b.world.count())
}

// An answer that comes while the agent is being started is heard.
func TestAnAnswerWhileTheAgentStartsIsHeard(t *testing.T) {
	b := newBench(t)
	w := b.watch()
	b.world.set("web", 1)
	b.load.to("web", 35)
	b.run(b.spec(asksFirst))
	b.next()
	q := b.question()
	answered := false
	w.readings = func() { // the agent has read its approvals by now
		if !answered {
			answered = true
			_, err := b.host.Approvals.Decide(context.Background(), q.ID, true, "ada", "")
			require.NoError(t, err)
		}
	}
	b.run(b.spec(asksFirst, func(s *engine.Spec) { s.Generation = "2" }))
	require.True(t, answered)
	require.Equal(t, q.ID, b.next().Trigger.Approval)
	b.settled()
	require.Equal(t, 1, b.world.count())
}

// An answer that comes while the approvals are read counts, and not what was read.
func TestAnAnswerWhileTheApprovalsAreReadIsHeard(t *testing.T) {
	b := newBench(t)
	w := b.watch()
	b.world.set("web", 1)
	b.load.to("web", 35)
	b.run(b.spec(asksFirst))
	b.next()
	q := b.question()
	reads := 0
	answered := make(chan error, 1)
	w.read = func() {
		if reads++; reads == 2 { // at the start, and once it can be told
			_, err := b.host.Approvals.Decide(context.Background(), q.ID, true, "ada", "")
			answered <- err
		}
	}
	b.run(b.spec(asksFirst, func(s *engine.Spec) { s.Generation = "2" }))
	require.NoError(t, receive(t, answered))
	require.Equal(t, q.ID, b.next().Trigger.Approval)
	b.settled()
	require.Equal(t, 1, b.world.count())
}

// An agent that is told of its own questions, and asks about telling, comes to an end.
func TestQuestionsAboutQuestionsEnd(t *testing.T) {
	b := newBench(t, `package scanflow.strategies.t.told

propose contains {"primitive": "hook", "with": {"id": input.trigger.event.id}, "reason": "told", "because": []} if input.trigger.event
`)
	b.world.set("web", 1)
	b.run(b.spec(func(s *engine.Spec) {
		s.Name, s.Strategies, s.Guards.Approval = "pager", []string{"t.told"}, []string{"hook"}
		s.Triggers = []engine.Trigger{{Name: "waiting", Event: &engine.EventFilter{Types: []string{engine.ApprovalRequested, "asked"}}}}
	}))
	require.NoError(t, b.host.Router.Publish(t.Context(), event("first")))
	for range engine.MaxHops + 1 {
		require.Equal(t, engine.Waiting, only(t, b.next()).Verdict)
	}
	require.NoError(t, b.host.Router.Publish(t.Context(), event("last")))
	require.Equal(t, "last", only(t, b.next()).With["id"], "the circle has ended")
}

// Nobody is shown a question that is not there.
func TestAQuestionThatIsNotRecordedIsNotShown(t *testing.T) {
	b := newBench(t)
	b.close()
	var f *flaky
	b.wrap = func(j engine.Journal) engine.Journal { f = &flaky{Journal: j}; return f }
	b.open()
	f.firing.Store(true)
	b.world.set("web", 1)
	b.load.to("web", 35)
	b.run(b.spec(asksFirst))
	d := only(t, b.next())
	require.Equal(t, engine.Refused, d.Verdict)
	require.Equal(t, "journal", d.By)
	f.firing.Store(false)
	require.Equal(t, engine.Waiting, only(t, b.tick()).Verdict)
	b.question()
}

// An approved act that the world never lets happen ends, and says so.
func TestAnApprovalThatCouldNotBeUsedInTimeSaysSo(t *testing.T) {
	b := newBench(t)
	b.world.set("web", 1)
	b.load.to("web", 35)
	b.run(b.spec(asksFirst))
	b.next()
	b.load.set("web", engine.Signal{State: engine.Error})
	q := b.approved()
	b.next()
	b.eventually(func() bool { return b.approval(q.ID).State == engine.ApprovalExpired })
	require.Equal(t, "approved, and it could not be done in time: the signal load is error", b.approval(q.ID).Detail)
	require.Zero(t, b.world.count())
}

// An approved call that a crash cut off is made by the next start, though the approval
// stood for less long than the process was gone.
func TestAnApprovedCallOutlivesACrash(t *testing.T) {
	b := newBench(t, answering)
	release := make(chan struct{})
	b.world.block = func(string) <-chan struct{} { return release }
	b.world.set("web", 1)
	asks := func(s *engine.Spec) { s.Guards.Approval, s.Guards.ApprovalExpiry = []string{"hook"}, time.Minute }
	b.run(b.spec(answers, asks))
	require.NoError(t, b.host.Router.Publish(t.Context(), event("1")))
	b.next()
	b.approved()
	require.Equal(t, engine.Admitted, only(t, b.next()).Verdict)
	b.close()
	b.clock.Advance(10 * time.Minute)
	b.open()
	close(release)
	b.run(b.spec(answers, asks))
	require.Equal(t, engine.Done, b.settled().Outcome.Status)
	require.Len(t, b.world.sent, 1)
}

// The question of an agent that does not run, as its spec is wrong, has nobody who ends it.
func TestAQuestionOfAnAgentThatDoesNotRunIsExpiredAfterItsTime(t *testing.T) {
	b := newBench(t)
	b.world.set("web", 1)
	b.load.to("web", 35)
	b.host.Declared = func(string) bool { return true }
	b.run(b.spec(asksFirst))
	b.next()
	q := b.question()
	b.host.Apply(nil)
	open := func(since time.Time) []engine.Approval {
		list, err := b.host.Approvals.List(t.Context(), "", since)
		require.NoError(t, err)
		return list
	}
	never := start.Add(time.Hour)
	require.Equal(t, engine.ApprovalWaiting, open(never)[0].State)
	b.clock.Advance(time.Minute)
	require.Empty(t, open(never))
	require.Equal(t, engine.ApprovalExpired, open(q.Expires)[0].State)
}

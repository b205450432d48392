package ledger

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
)

// question is an approval as it stands in a state.
func question(id string, state engine.ApprovalState) engine.Approval {
	a := engine.Approval{
		ID: id, Key: "key of " + id, Agent: agent, Target: intent("", 0).Target.ID(), Strategy: "modeldebug.execute", Primitive: "model.promote",
		With: map[string]any{"version": 3.0}, Reason: "better", Because: []string{"accuracy"}, Diff: "v2 -> v3", Firing: "f1",
		Trigger: engine.TriggerInfo{Name: "asked", Kind: "event", Event: &engine.Event{ID: "e1", Source: "s", Time: day, Data: "x"}},
		Asked:   day, Expires: day.Add(time.Hour), State: state,
	}
	if state == engine.ApprovalApproved || state == engine.ApprovalDenied {
		a.By, a.Why, a.Decided = "ann", "looked at it", day.Add(time.Minute)
	}
	if state.Ended() {
		a.Ended, a.Detail = day.Add(2*time.Minute), "it ended"
	}
	return a
}

func change(from, to engine.ApprovalState, id string) engine.ApprovalChange {
	return engine.ApprovalChange{Approval: question(id, to), From: from}
}

const (
	waiting  = engine.ApprovalWaiting
	approved = engine.ApprovalApproved
	denied   = engine.ApprovalDenied
	used     = engine.ApprovalUsed
	expired  = engine.ApprovalExpired
)

// TestTheNextLeaderKnowsTheApprovals: those that wait, and those that ended.
func TestTheNextLeaderKnowsTheApprovals(t *testing.T) {
	c := shared(t)
	ctx, o := t.Context(), Options{Client: c.Client(), Namespace: c.Namespace(t)}
	l := begin(t, o)
	f := firing("f1", "a")
	f.Approvals = []engine.ApprovalChange{change("", waiting, "q1"), change("", waiting, "q2"), change("", waiting, "q3")}
	require.NoError(t, l.RecordFiring(ctx, f))
	require.NoError(t, l.SaveApproval(ctx, change(waiting, approved, "q1")))
	require.NoError(t, l.SaveApproval(ctx, change(waiting, denied, "q2")))
	f = firing("f2", "b")
	f.Approvals = []engine.ApprovalChange{change(approved, used, "q1"), change("", waiting, "q4"), change(waiting, expired, "q4")}
	require.NoError(t, l.RecordFiring(ctx, f))

	want := []engine.Approval{question("q1", used), question("q2", denied), question("q3", waiting), question("q4", expired)}
	for range 3 {
		same(t, want, leaf(t, l).Approvals)
		young, err := l.Approvals(ctx, agent, day.Add(3*time.Minute))
		require.NoError(t, err)
		same(t, want[2:3], young)
		none, err := l.Approvals(ctx, executor, time.Time{})
		require.NoError(t, err)
		require.Empty(t, none)
		one, err := l.Approval(ctx, "q2")
		require.NoError(t, err)
		same(t, want[1], one)
		_, err = l.Approval(ctx, "q9")
		require.ErrorIs(t, err, engine.ErrNoApproval)
		require.NoError(t, l.roll(ctx))
		closed(t, l)
		o.CompactAfter = 1
		l = begin(t, o)
	}
	require.Positive(t, l.head.spec.Bases)
	o.Clock = clock{day.Add(25 * time.Hour)}
	same(t, want[2:3], leaf(t, begin(t, o)).Approvals)
}

// TestAChangeThatComesTooLateIsRefused with all that it came with, and asks nothing of
// the cluster.
func TestAChangeThatComesTooLateIsRefused(t *testing.T) {
	c := shared(t)
	client, _ := connect(t, c)
	ctx, o := t.Context(), Options{Client: client, Namespace: c.Namespace(t)}
	l := begin(t, o)
	f := firing("f1")
	f.Approvals = []engine.ApprovalChange{change("", waiting, "q1"), change("", approved, "q2")}
	require.NoError(t, l.RecordFiring(ctx, f))
	before, want := requests(client), leaf(t, l)
	for name, late := range map[string]engine.ApprovalChange{
		"it is there already":         change("", waiting, "q1"),
		"it is not approved":          change(approved, used, "q1"),
		"it does not wait any more":   change(waiting, denied, "q2"),
		"it is not there":             change(waiting, denied, "q9"),
		"nobody knows that it waited": change(used, used, "q1"),
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, l.SaveApproval(ctx, late), engine.ErrApprovalState)
			f := firing("f2", "a")
			f.Trigger.Event = &engine.Event{ID: "e1", Source: "s"}
			f.Envelopes = []engine.Envelope{{Event: asked("notice"), To: to("https://a")}}
			f.Approvals = []engine.ApprovalChange{change("", waiting, "new"), late}
			require.ErrorIs(t, l.RecordFiring(ctx, f), engine.ErrApprovalState)
			same(t, want, leaf(t, l))
		})
	}
	require.ErrorIs(t, l.SaveApproval(ctx, change(waiting, denied, "q9")), engine.ErrNoApproval)
	require.Error(t, l.SaveApproval(ctx, engine.ApprovalChange{Approval: engine.Approval{ID: "q3"}}))
	require.Equal(t, before, requests(client))
	require.Empty(t, look(t, l).Acts)
	fresh, err := l.Enqueue(ctx, []engine.Envelope{{Event: engine.Event{ID: "e1", Source: "s"}, Agents: []string{agent}}})
	require.NoError(t, err)
	require.Equal(t, 1, fresh, "the refused firing handled an event")
}

// TestTwoDecideAtOnce: the second gets an error.
func TestTwoDecideAtOnce(t *testing.T) {
	c := shared(t)
	o := Options{Client: c.Client(), Namespace: c.Namespace(t)}
	l := begin(t, o)
	const questions, each = 10, 6
	for q := range questions {
		require.NoError(t, l.SaveApproval(t.Context(), change("", waiting, fmt.Sprint("q", q))))
	}
	var mu sync.Mutex
	won := map[string]engine.ApprovalState{}
	errs := make(chan error, questions*each)
	for i := range questions * each {
		go func() {
			id, state := fmt.Sprint("q", i%questions), []engine.ApprovalState{approved, denied, expired}[i/questions%3]
			err := l.SaveApproval(context.Background(), change(waiting, state, id))
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				won[id] = state
			}
			errs <- err
		}()
	}
	first := 0
	for range questions * each {
		if err := <-errs; err == nil {
			first++
		} else {
			require.ErrorIs(t, err, engine.ErrApprovalState)
		}
	}
	require.Equal(t, questions, first)
	crash(l)
	for _, a := range leaf(t, begin(t, o)).Approvals {
		require.Equal(t, won[a.ID], a.State)
	}
}

// TestAFiringIsTakenBackWithItsApprovalsAndPostings, but what was decided or delivered
// since stays.
func TestAFiringIsTakenBackWithItsApprovalsAndPostings(t *testing.T) {
	c := shared(t)
	h := &held{Journal: history(t), arrived: make(chan struct{}), release: make(chan error)}
	ctx, o := t.Context(), Options{Client: c.Client(), Namespace: c.Namespace(t), History: h}
	l := begin(t, o)
	for _, id := range []string{"stays", "was approved"} {
		require.NoError(t, l.SaveApproval(ctx, change("", approved, id)))
	}
	posted(t, l, engine.Envelope{Event: asked("known"), Agents: []string{agent}})
	before := leaf(t, l)
	f := firing("f1", "a")
	f.Approvals = []engine.ApprovalChange{change(approved, used, "was approved"), change("", waiting, "new"), change("", waiting, "decided"), change(approved, approved, "stays")}
	f.Envelopes = []engine.Envelope{{Event: asked("notice"), Agents: []string{executor}, To: to("https://a", "https://b", "https://c")}, {Event: asked("known"), Agents: []string{agent}}}
	errs := make(chan error)
	go func() { errs <- l.RecordFiring(ctx, f) }()
	<-h.arrived
	id := deliveries(t, l)
	require.NoError(t, l.Ack(ctx, []engine.Ack{{ID: id["https://a notice"], State: engine.Delivered, At: day}, {ID: id["https://b notice"], State: engine.Undeliverable, At: day}}))
	require.NoError(t, l.SaveApproval(ctx, change(waiting, denied, "decided")))
	h.release <- errCut
	require.ErrorIs(t, <-errs, errCut)

	want := before
	want.Approvals = []engine.Approval{question("decided", denied), question("stays", approved), question("was approved", approved)}
	same(t, want, leaf(t, l))
	require.Equal(t, engine.Abandoned, look(t, l).Acts["a"])
	closed(t, l)
	o.History = nil
	l = begin(t, o)
	same(t, want, leaf(t, l))
	fresh, err := l.Enqueue(ctx, f.Envelopes)
	require.NoError(t, err)
	require.Equal(t, 1, fresh)
	require.Len(t, deliveries(t, l), 2, "one was delivered")
}

// TestTheHistoryKeepsHowApprovalsEnded, whichever pod asked; and no mail, which the
// ledger delivers.
func TestTheHistoryKeepsHowApprovalsEnded(t *testing.T) {
	c := shared(t)
	h := history(t)
	ctx, o := t.Context(), Options{Client: c.Client(), Namespace: c.Namespace(t)}
	l := begin(t, o)
	f := firing("f1", "a")
	for _, id := range []string{"q1", "q2", "q3"} {
		f.Approvals = append(f.Approvals, change("", waiting, id))
	}
	require.NoError(t, l.RecordFiring(ctx, f))
	closed(t, l)

	o.History = h
	l = begin(t, o)
	require.NoError(t, l.SaveApproval(ctx, change(waiting, denied, "q1")))
	require.NoError(t, l.SaveApproval(ctx, change(waiting, approved, "q2")))
	require.NoError(t, h.SaveApproval(ctx, change("", expired, "q3")), "the history is ahead of a log that was restored from a backup")
	f = firing("f2", "b")
	f.Approvals = []engine.ApprovalChange{change(approved, used, "q2"), change(waiting, expired, "q3"), change("", waiting, "q4")}
	f.Envelopes = []engine.Envelope{{Event: asked("notice"), Agents: []string{executor}, To: to("https://a")}}
	require.NoError(t, l.RecordFiring(ctx, f))
	kept, err := h.Approvals(ctx, "", time.Time{})
	require.NoError(t, err)
	same(t, []engine.Approval{question("q1", denied), question("q3", expired), question("q2", used)}, kept)
	messages, err := h.Messages(ctx, "", -1)
	require.NoError(t, err)
	require.Empty(t, messages)
}

// held is a history that a test lets go on.
type held struct {
	*journal.Journal
	arrived chan struct{}
	release chan error
}

func (h *held) RecordFiring(ctx context.Context, f engine.FiringRecord) error {
	h.arrived <- struct{}{}
	if err := <-h.release; err != nil {
		return err
	}
	return h.Journal.RecordFiring(ctx, f)
}

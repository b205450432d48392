package journal

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// approval is a waiting approval.
func approval(id string) engine.Approval {
	e := event("/agents/digits/planner", "e-"+id)
	return engine.Approval{
		ID: id, Key: "key-" + id, Agent: "digits/executor", Target: target(1), Strategy: "modeldebug.execute", Primitive: "model.promote",
		With: map[string]any{"model": "digits", "version": "3"}, Reason: "asked", Because: []string{"accuracy"}, Diff: "version 2 -> 3",
		Firing: "f-1", Trigger: engine.TriggerInfo{Name: "asked", Kind: "event", Event: &e}, Asked: day, Expires: day.Add(time.Hour), State: engine.ApprovalWaiting,
	}
}

func with(a engine.Approval, change func(*engine.Approval)) engine.Approval {
	change(&a)
	return a
}

func approved(a engine.Approval) engine.Approval {
	a.State, a.By, a.Why, a.Decided = engine.ApprovalApproved, "maria", "looks good", day.Add(time.Minute)
	return a
}

func ended(a engine.Approval, state engine.ApprovalState, at time.Time) engine.Approval {
	a.State, a.Ended, a.Detail = state, at, "so it ended"
	return a
}

func TestApprovalsKeepTheirWay(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{Clock: newClock()})
	ctx := t.Context()
	waiting := approval("p-1")
	used := with(ended(approved(waiting), engine.ApprovalUsed, day.Add(2*time.Minute)), func(a *engine.Approval) { a.Identity = "act-1" })
	for _, step := range []struct {
		name string
		c    engine.ApprovalChange
		want []error
	}{
		{"changed before it is there", engine.ApprovalChange{Approval: approved(waiting), From: engine.ApprovalWaiting}, []error{engine.ErrApprovalState, engine.ErrNoApproval}},
		{"asked", engine.ApprovalChange{Approval: waiting}, nil},
		{"asked twice", engine.ApprovalChange{Approval: waiting}, []error{engine.ErrApprovalState}},
		{"used before it is approved", engine.ApprovalChange{Approval: used, From: engine.ApprovalApproved}, []error{engine.ErrApprovalState}},
		{"approved", engine.ApprovalChange{Approval: approved(waiting), From: engine.ApprovalWaiting}, nil},
		{"denied too late", engine.ApprovalChange{Approval: ended(waiting, engine.ApprovalDenied, day), From: engine.ApprovalWaiting}, []error{engine.ErrApprovalState}},
		{"used", engine.ApprovalChange{Approval: used, From: engine.ApprovalApproved}, nil},
		{"used twice", engine.ApprovalChange{Approval: used, From: engine.ApprovalApproved}, []error{engine.ErrApprovalState}},
	} {
		err := j.SaveApproval(ctx, step.c)
		if step.want == nil {
			require.NoError(t, err, step.name)
		}
		for _, want := range step.want {
			require.ErrorIs(t, err, want, step.name)
		}
	}
	require.NoError(t, j.Close())

	j = open(t, dir, Options{Clock: newClock()})
	got, err := j.Approval(ctx, "p-1")
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(used, got))
	_, err = j.Approval(ctx, "p-2")
	require.ErrorIs(t, err, engine.ErrNoApproval)
}

func TestBadApprovalIsRefused(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	for name, spoil := range map[string]func(*engine.Approval){
		"no id":       func(a *engine.Approval) { a.ID = "" },
		"no agent":    func(a *engine.Approval) { a.Agent = "" },
		"no state":    func(a *engine.Approval) { a.State = "" },
		"not in JSON": func(a *engine.Approval) { a.With = map[string]any{"x": make(chan int)} },
	} {
		require.Error(t, j.SaveApproval(t.Context(), engine.ApprovalChange{Approval: with(approval("p"), spoil)}), name)
	}
	require.Zero(t, rows(t, j)["approvals"])
	require.NoError(t, j.Health())
}

func TestApprovalsOfAnAgentAndATime(t *testing.T) {
	clock := newClock()
	j := open(t, t.TempDir(), Options{Clock: clock})
	for _, a := range []engine.Approval{
		approval("waits"),
		approved(approval("approved")),
		ended(approval("long ago"), engine.ApprovalExpired, day.Add(-time.Hour)),
		ended(approval("just now"), engine.ApprovalDenied, day),
		ended(approval("never said when"), engine.ApprovalLapsed, time.Time{}),
		with(approval("other's"), func(a *engine.Approval) { a.Agent = "digits/planner" }),
	} {
		require.NoError(t, j.SaveApproval(t.Context(), engine.ApprovalChange{Approval: a}))
	}
	for after, want := range map[time.Duration]int{0: 2, time.Hour - time.Second: 2, time.Hour: 0} {
		waiting, err := j.ApprovalsWaiting(t.Context(), day.Add(after))
		require.NoError(t, err)
		require.Equal(t, want, waiting, after)
	}
	for _, test := range []struct {
		agent string
		since time.Time
		want  []string
	}{
		{"", time.Time{}, []string{"waits", "approved", "long ago", "just now", "never said when", "other's"}},
		{"", day, []string{"waits", "approved", "just now", "never said when", "other's"}},
		{"digits/executor", day.Add(time.Hour), []string{"waits", "approved"}},
		{"digits/planner", time.Time{}, []string{"other's"}},
		{"digits/nobody", time.Time{}, nil},
	} {
		got, err := j.Approvals(t.Context(), test.agent, test.since)
		require.NoError(t, err)
		var ids []string
		for _, a := range got {
			ids = append(ids, a.ID)
		}
		require.Equal(t, test.want, ids, "%q since %s", test.agent, test.since)
	}
}

// If two persons, or a person and the expiry, change an approval concurrently, only one wins.
func TestOneAnswerWins(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	require.NoError(t, j.SaveApproval(t.Context(), engine.ApprovalChange{Approval: approval("p")}))
	var won atomic.Int64
	var wg sync.WaitGroup
	for i := range 16 {
		answer := approved(approval("p"))
		if i%2 == 0 {
			answer = ended(approval("p"), engine.ApprovalDenied, day)
		}
		wg.Go(func() {
			err := j.SaveApproval(context.Background(), engine.ApprovalChange{Approval: answer, From: engine.ApprovalWaiting})
			if err == nil {
				won.Add(1)
				return
			}
			if !errors.Is(err, engine.ErrApprovalState) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, won.Load())
}

func TestFiringChangesApprovals(t *testing.T) {
	j := open(t, t.TempDir(), Options{InboxMost: 1, OutboxMost: 1})
	ctx := t.Context()
	asks := firingOf("f-1", day, 1)
	asks.Approvals = []engine.ApprovalChange{{Approval: approval("p-1")}, {Approval: approval("p-2")}}
	notices := []engine.Event{event("/agents/digits/executor", "n-1"), event("/agents/digits/executor", "n-2")}
	asks.Envelopes = postings([]string{"a/notified"}, []engine.Destination{{URL: "http://peer"}}, notices...)
	require.NoError(t, j.RecordFiring(ctx, asks), "notices are not refused for want of room")
	waiting, err := j.Inbox(ctx, "a/notified", -1)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(notices, waiting))
	out, err := j.Outbox(ctx, -1)
	require.NoError(t, err)
	require.Len(t, out, 2)
	_, err = j.Enqueue(ctx, postings([]string{"a/notified"}, nil, event("s", "another")))
	require.ErrorIs(t, err, engine.ErrFull, "they count all the same")

	require.NoError(t, j.SaveApproval(ctx, engine.ApprovalChange{Approval: approved(approval("p-1")), From: engine.ApprovalWaiting}))
	acts := firingOf("f-2", day, 1)
	acts.Intents = []engine.Intent{intent("f-2-0", 1)}
	acts.Approvals = []engine.ApprovalChange{
		{Approval: ended(approved(approval("p-1")), engine.ApprovalUsed, day), From: engine.ApprovalApproved},
		{Approval: ended(approved(approval("p-2")), engine.ApprovalUsed, day), From: engine.ApprovalApproved}, // it only waits
	}
	acts.Trigger.Event = &notices[0]
	before := rows(t, j)
	err = j.RecordFiring(ctx, acts)
	require.ErrorIs(t, err, engine.ErrApprovalState)
	require.ErrorContains(t, err, "p-2: it is waiting")
	require.Equal(t, before, rows(t, j), "no intent, no decision, nothing")
	got, err := j.Approval(ctx, "p-1")
	require.NoError(t, err)
	require.Equal(t, engine.ApprovalApproved, got.State)

	acts.Approvals = acts.Approvals[:1]
	require.NoError(t, j.RecordFiring(ctx, acts))
	got, err = j.Approval(ctx, "p-1")
	require.NoError(t, err)
	require.Equal(t, engine.ApprovalUsed, got.State)
	soundCounts(t, j)
}

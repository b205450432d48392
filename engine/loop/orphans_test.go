package loop_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// An approval of a deleted agent lapses and the reason is recorded, whether the agent was
// deleted while the process ran or while it was down, and whether or not it was approved.
func TestAnApprovalOfADeletedAgentLapses(t *testing.T) {
	for name, c := range map[string]struct{ down, approved bool }{
		"while it runs":                          {},
		"while it is down":                       {down: true},
		"approved and blocked, while it runs":    {approved: true},
		"approved and blocked, while it is down": {down: true, approved: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.world.set("web", 1)
			b.load.setValue("web", 35)
			other := b.spec(func(s *engine.Spec) { s.Name, s.Triggers = "other", nil })
			b.run(b.spec(needsApproval), other)
			b.next()
			id, from := b.waitingApproval().ID, engine.ApprovalWaiting
			if c.approved {
				b.world.mu.Lock()
				b.world.lost = errors.New("no answer")
				b.world.mu.Unlock()
				b.approve()
				b.next()
				from = engine.ApprovalApproved
			}
			if c.down {
				b.restart()
			}
			b.run(other)
			p := b.approval(id)
			require.Equal(t, engine.ApprovalLapsed, p.State)
			require.Equal(t, "its agent, ns/planner, is not there any more", p.Detail)
			require.False(t, p.Ended.IsZero())
			d := only(t, b.nextOf("ns/planner"))
			require.Equal(t, engine.Refused, d.Verdict)
			require.Equal(t, "guards.approval", d.By)
			require.Equal(t, p.Detail, d.Detail)
			require.Equal(t, id, d.Approval.ID)
			require.Equal(t, from, d.Approval.State)
			_, err := b.manager.Approvals.Decide(t.Context(), id, true, "ada", "")
			require.ErrorIs(t, err, engine.ErrApprovalState)

			b.run(other) // a second Apply records nothing
			b.run(b.spec(needsApproval), other)
			b.world.mu.Lock()
			b.world.lost = nil
			b.world.mu.Unlock()
			b.eventually(func() bool { return b.waitingApprovals() == 1 })
			require.NotEqual(t, id, b.waitingApproval().ID, "a new agent of that name requests a new approval")
		})
	}
}

// unreadableJournal fails to list approvals.
type unreadableJournal struct {
	engine.Journal
	broken atomic.Bool
}

func (u *unreadableJournal) Approvals(ctx context.Context, agent string, since time.Time) ([]engine.Approval, error) {
	if u.broken.Load() {
		return nil, errors.New("broken")
	}
	return u.Journal.Approvals(ctx, agent, since)
}

func TestAnApprovalOfADeletedAgentLapsesOnceTheJournalIsReadable(t *testing.T) {
	b := newBench(t)
	var u *unreadableJournal
	b.close()
	b.wrap = func(j engine.Journal) engine.Journal { u = &unreadableJournal{Journal: j}; return u }
	b.open()
	b.world.set("web", 1)
	b.load.setValue("web", 35)
	b.run(b.spec(needsApproval))
	b.next()
	id := b.waitingApproval().ID
	u.broken.Store(true)
	b.run()
	require.Equal(t, engine.ApprovalWaiting, b.approval(id).State)
	u.broken.Store(false)
	b.eventually(func() bool { return b.approval(id).State == engine.ApprovalLapsed })
}

// An agent whose spec is invalid does not run, and is not deleted.
func TestAnApprovalOfAnInvalidAgentStands(t *testing.T) {
	b := newBench(t)
	b.world.set("web", 1)
	b.load.setValue("web", 35)
	b.run(b.spec(needsApproval))
	b.next()
	id := b.waitingApproval().ID
	b.restart()
	b.manager.Declared = func(agent string) bool { return agent == "ns/planner" }
	b.run()
	require.Equal(t, engine.ApprovalWaiting, b.approval(id).State)
}

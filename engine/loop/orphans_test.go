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

// The question of an agent that was deleted lapses, with a row that says why, whether it
// was deleted while the process ran or while it was down, and whether somebody said yes.
func TestAQuestionOfADeletedAgentLapses(t *testing.T) {
	for name, c := range map[string]struct{ down, approved bool }{
		"while it runs":              {},
		"while it is down":           {down: true},
		"held back, while it runs":   {approved: true},
		"held back, while it's down": {down: true, approved: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.world.set("web", 1)
			b.load.to("web", 35)
			other := b.spec(func(s *engine.Spec) { s.Name, s.Triggers = "other", nil })
			b.run(b.spec(asksFirst), other)
			b.next()
			id, from := b.question().ID, engine.ApprovalWaiting
			if c.approved {
				b.world.mu.Lock()
				b.world.lost = errors.New("no answer")
				b.world.mu.Unlock()
				b.approved()
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
			_, err := b.host.Approvals.Decide(t.Context(), id, true, "ada", "")
			require.ErrorIs(t, err, engine.ErrApprovalState)

			b.run(other) // once is enough
			b.run(b.spec(asksFirst), other)
			b.world.mu.Lock()
			b.world.lost = nil
			b.world.mu.Unlock()
			b.eventually(func() bool { return b.asks() == 1 })
			require.NotEqual(t, id, b.question().ID, "an agent of its name asks anew")
		})
	}
}

// unreadable fails to list approvals.
type unreadable struct {
	engine.Journal
	broken atomic.Bool
}

func (u *unreadable) Approvals(ctx context.Context, agent string, since time.Time) ([]engine.Approval, error) {
	if u.broken.Load() {
		return nil, errors.New("broken")
	}
	return u.Journal.Approvals(ctx, agent, since)
}

func TestAQuestionOfADeletedAgentLapsesOnceTheJournalCanBeRead(t *testing.T) {
	b := newBench(t)
	var u *unreadable
	b.close()
	b.wrap = func(j engine.Journal) engine.Journal { u = &unreadable{Journal: j}; return u }
	b.open()
	b.world.set("web", 1)
	b.load.to("web", 35)
	b.run(b.spec(asksFirst))
	b.next()
	id := b.question().ID
	u.broken.Store(true)
	b.run()
	require.Equal(t, engine.ApprovalWaiting, b.approval(id).State)
	u.broken.Store(false)
	b.eventually(func() bool { return b.approval(id).State == engine.ApprovalLapsed })
}

// An agent that is there, and does not run because its spec is wrong, is not deleted.
func TestAQuestionOfAnAgentThatIsRefusedStands(t *testing.T) {
	b := newBench(t)
	b.world.set("web", 1)
	b.load.to("web", 35)
	b.run(b.spec(asksFirst))
	b.next()
	id := b.question().ID
	b.restart()
	b.host.Declared = func(agent string) bool { return agent == "ns/planner" }
	b.run()
	require.Equal(t, engine.ApprovalWaiting, b.approval(id).State)
}

package loop_test

import (
	"errors"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// reload adds or replaces a policy.
func (b *bench) reload(name, rego string) {
	b.t.Helper()
	b.files[name] = &fstest.MapFile{Data: []byte(rego)}
	require.NoError(b.t, b.policies.Load(b.t.Context()))
}

// The approval of a blocked act names the guard and the reason until the act is done.
func TestAnApprovalShowsWhatBlocksIt(t *testing.T) {
	for name, c := range map[string]struct {
		spec        func(*engine.Spec)
		hold, loose func(*bench)
		want        string
		at          engine.ApprovalState // at the end
	}{
		"a budget": {
			spec: func(s *engine.Spec) {
				s.Strategies = append(s.Strategies, "t.answering")
				s.Triggers = append(s.Triggers, engine.Trigger{Name: "asked", Event: &engine.EventFilter{Types: []string{"asked"}}})
				s.Guards.Budget = &engine.BudgetGuard{Actions: 1, Per: time.Minute}
			},
			hold: func(b *bench) {
				require.NoError(b.t, b.manager.Router.Publish(b.t.Context(), event("1")))
				b.nextAct()
			},
			want: "guards.budget: 1 acts in the last 1m0s, and 1 are allowed",
			at:   engine.ApprovalUsed,
		},
		"a guard in Rego": {
			hold: func(b *bench) {
				b.reload("deny.rego", "package scanflow.guards.t.never\n\ndeny contains \"the office is closed\"\n")
			},
			loose: func(b *bench) {
				b.reload("deny.rego", "package scanflow.guards.t.never\n\ndeny contains \"x\" if false\n")
			},
			want: "denied by t.never: the office is closed",
			at:   engine.ApprovalUsed,
		},
		"a signal": {
			hold:  func(b *bench) { b.load.set("web", engine.Signal{State: engine.Error, Problem: "no answer"}) },
			loose: func(b *bench) { b.load.setValue("web", 35) },
			want:  "the signal load is error: no answer",
			at:    engine.ApprovalUsed,
		},
		"a fleet": {
			hold: func(b *bench) {
				b.world.mu.Lock()
				defer b.world.mu.Unlock()
				b.world.lost = errors.New("no answer")
			},
			want: "the targets can't be listed, or the strategies not be asked",
			at:   engine.ApprovalExpired,
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, answering)
			b.world.set("web", 1)
			b.load.setValue("web", 35)
			spec := b.spec(needsApproval, func(s *engine.Spec) { s.Guards.ApprovalExpiry = 10 * time.Minute })
			if c.spec != nil {
				c.spec(&spec)
			}
			b.run(spec)
			b.next()
			c.hold(b)
			q := b.approve()
			b.eventually(func() bool { return b.approval(q.ID).Held != "" })
			held := b.approval(q.ID)
			require.Contains(t, held.Held, c.want)
			require.Equal(t, engine.ApprovalApproved, held.State)
			b.restart()
			b.run(spec)
			require.Contains(t, b.approval(q.ID).Held, c.want, "it is in the journal")
			if c.loose != nil {
				c.loose(b)
			}
			b.withinHours(func() bool { return b.approval(q.ID).State.Ended() })
			ended := b.approval(q.ID)
			require.Equal(t, c.at, ended.State, ended.Detail)
			if c.at == engine.ApprovalUsed {
				require.Empty(t, ended.Held)
			} else {
				require.Contains(t, ended.Detail, "approved, and it could not be done in time: "+c.want)
			}
		})
	}
}

// A repeated refusal is recorded once. It is recorded again when the reason changes, such as
// when the guard fails instead of denying.
func TestANewRefusalReasonIsRecorded(t *testing.T) {
	const guard = "package scanflow.guards.t.busy\n\n"
	b := newBench(t)
	b.world.set("web", 1)
	b.load.setValue("web", 35)
	b.reload("busy.rego", guard+"deny contains \"busy\"\n")
	b.run(b.spec())
	require.Equal(t, "denied by t.busy: busy", only(t, b.next()).Detail)
	require.Empty(t, b.tick().Decisions, "once")
	b.reload("busy.rego", guard+"deny contains \"busy\" if to_number(input.target.name) > 1\n")
	broken := only(t, b.tick())
	require.Equal(t, "policy:t.busy", broken.By)
	require.Contains(t, broken.Detail, "eval_builtin_error")
	require.Empty(t, b.tick().Decisions, "once")
	b.reload("busy.rego", guard+"deny contains \"busy\"\n")
	require.Equal(t, "denied by t.busy: busy", only(t, b.tick()).Detail)
}

// The text of a cooldown's refusal changes with each act, which does not make it a new reason.
func TestARepeatedGuardRefusalIsRecordedOnce(t *testing.T) {
	b := newBench(t)
	b.world.set("web", 1)
	b.load.setValue("web", 35)
	b.world.fail = errors.New("forbidden")
	b.run(b.spec())
	b.next()
	b.nextAct()
	refused := 0
	for range 12 {
		for _, d := range b.tick().Decisions {
			if d.Verdict == engine.Refused {
				refused++
			} else {
				b.nextAct()
			}
		}
	}
	require.LessOrEqual(t, refused, 4, "once after each try, not at each firing")
}

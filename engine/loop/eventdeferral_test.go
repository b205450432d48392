package loop_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// telling calls with the same parameters for each event, on each target.
const telling = `package scanflow.strategies.t.telling

propose contains {"primitive": "hook", "with": {"text": "retrain"}, "reason": "asked", "because": []} if input.trigger.event.type == "asked"
`

// ticking calls at each firing, whatever its trigger.
const ticking = `package scanflow.strategies.t.ticking

propose contains {"primitive": "hook", "with": {"text": "tick"}, "reason": "always", "because": []} if input.target.name
`

func tells(s *engine.Spec) {
	handlesEvents(s)
	s.Strategies = []string{"t.telling"}
}

// messages returns the messages in a box.
func (b *bench) messages(box string) []engine.Message {
	b.t.Helper()
	all, err := b.journal.Messages(b.t.Context(), "", -1)
	require.NoError(b.t, err)
	return slices.DeleteFunc(all, func(l engine.Message) bool { return l.Box != box })
}

func TestActsOfDistinctEventsAreNotMerged(t *testing.T) {
	b := newBench(t, telling)
	b.world.set("web", 1)
	b.run(b.spec(tells))
	for i := range 20 {
		require.NoError(t, b.manager.Router.Publish(t.Context(), event(fmt.Sprint(i))))
	}
	identities := map[string]bool{}
	for range 20 {
		d := only(t, b.next())
		require.Equal(t, engine.Admitted, d.Verdict, d.Detail)
		identities[d.Identity] = true
	}
	require.Len(t, identities, 20)
	for range 20 {
		b.nextAct()
	}
	require.Len(t, b.world.sent, 20)
	require.Empty(t, b.messages(engine.BoxDead))
}

// Each refusal for an event is a decision and a dead letter with the reason, which a person
// can redeliver.
func TestAnEventRefusedByAGuardIsADeadLetter(t *testing.T) {
	b := newBench(t, telling)
	b.world.set("web", 1)
	b.run(b.spec(tells, func(s *engine.Spec) { s.Guards.Cooldown = map[string]time.Duration{"hook": time.Hour} }))
	for i := range 3 {
		require.NoError(t, b.manager.Router.Publish(t.Context(), event(fmt.Sprint(i))))
	}
	require.Equal(t, engine.Admitted, only(t, b.next()).Verdict)
	b.nextAct()
	for range 2 {
		d := only(t, b.next())
		require.Equal(t, []string{string(engine.Refused), "guards.cooldown"}, []string{string(d.Verdict), d.By})
		require.NotEmpty(t, d.Document)
	}
	dead := b.messages(engine.BoxDead)
	require.Len(t, dead, 2)
	require.Contains(t, dead[0].Why, "hook of t.telling on ns/web is refused by guards.cooldown: hook cools down for 1h0m0s, until ")
	require.Empty(t, b.messages(engine.BoxInbox))

	b.clock.Advance(2 * time.Hour)
	found, err := b.manager.Router.Redeliver(t.Context(), []string{dead[0].ID})
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, engine.Admitted, only(t, b.next()).Verdict)
	b.nextAct()
	require.Len(t, b.messages(engine.BoxDead), 1)
}

// An event whose trigger has a wait is deferred when a guard refuses, and does not block
// others. It is handled once the guard admits, also after a restart, or becomes a dead
// letter at the end of the wait.
func TestAnEventWaitsForAGuard(t *testing.T) {
	const cooldown = 10 * time.Minute
	waits := func(wait time.Duration) func(s *engine.Spec) {
		return func(s *engine.Spec) {
			tells(s)
			s.Strategies = []string{"t.telling", "t.answering"}
			s.Triggers[0].Wait = wait
			s.Triggers = append(s.Triggers, engine.Trigger{Name: "other", Event: &engine.EventFilter{Types: []string{"other"}}})
			s.Guards.Cooldown = map[string]time.Duration{"hook": cooldown}
		}
	}
	for name, restart := range map[string]bool{"without a restart": false, "with a restart": true} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, telling, answering)
			b.world.set("web", 1)
			spec := b.spec(waits(time.Hour), func(s *engine.Spec) { s.Strategies = []string{"t.telling"} })
			b.run(spec)
			require.NoError(t, b.manager.Router.Publish(t.Context(), event("1")))
			require.Equal(t, engine.Admitted, only(t, b.next()).Verdict)
			b.nextAct()
			require.NoError(t, b.manager.Router.Publish(t.Context(), event("2")))
			require.Equal(t, "guards.cooldown", only(t, b.next()).By)
			inbox := b.messages(engine.BoxInbox)
			require.Len(t, inbox, 1)
			require.Contains(t, inbox[0].Why, "is refused by guards.cooldown")
			other := event("3")
			other.Type = "other"
			require.NoError(t, b.manager.Router.Publish(t.Context(), other))
			require.Equal(t, "3", b.next().Trigger.Event.ID, "it holds up no other")
			if restart {
				b.restart()
				b.run(spec)
			}
			require.Empty(t, b.messages(engine.BoxDead))
			b.clock.Advance(cooldown)
			f := b.next()
			require.Equal(t, "2", f.Trigger.Event.ID)
			require.Nil(t, f.Trigger.Event.Deferral, "policies and the journal see the event as it came")
			require.Equal(t, engine.Admitted, only(t, f).Verdict)
			b.nextAct()
			require.Empty(t, b.messages(engine.BoxInbox))
		})
	}
	t.Run("its time is up", func(t *testing.T) {
		b := newBench(t, telling, answering)
		b.world.set("web", 1)
		b.run(b.spec(waits(time.Minute), func(s *engine.Spec) { s.Strategies = []string{"t.telling"} }))
		for i := range 2 {
			require.NoError(t, b.manager.Router.Publish(t.Context(), event(fmt.Sprint(i))))
		}
		require.Equal(t, engine.Admitted, only(t, b.next()).Verdict)
		b.nextAct()
		require.Equal(t, engine.Refused, only(t, b.next()).Verdict)
		b.clock.Advance(time.Minute)
		require.Equal(t, engine.Refused, only(t, b.next()).Verdict)
		dead := b.messages(engine.BoxDead)
		require.Len(t, dead, 1)
		require.Contains(t, dead[0].Why, "; it waited for 1m0s")
	})
}

// A deferred event is handled again as soon as its agent has other guards.
func TestADeferredEventIsHandledWhenTheGuardsChange(t *testing.T) {
	for name, restart := range map[string]bool{"without a restart": false, "with a restart": true} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, telling)
			b.world.set("web", 1)
			spec := b.spec(tells, func(s *engine.Spec) {
				s.Triggers[0].Wait = 24 * time.Hour
				s.Guards.Cooldown = map[string]time.Duration{"hook": 12 * time.Hour}
			})
			b.run(spec)
			for i := range 2 {
				require.NoError(t, b.manager.Router.Publish(t.Context(), event(fmt.Sprint(i))))
			}
			require.Equal(t, engine.Admitted, only(t, b.next()).Verdict)
			b.nextAct()
			require.Equal(t, "guards.cooldown", only(t, b.next()).By)
			b.clock.Advance(time.Second)
			if restart {
				b.restart()
			}
			spec.Generation, spec.Guards.Cooldown = "2", nil
			b.run(spec)
			f := b.next()
			require.Equal(t, "1", f.Trigger.Event.ID)
			require.Equal(t, engine.Admitted, only(t, f).Verdict)
			b.nextAct()
			require.Empty(t, b.messages(engine.BoxInbox))
		})
	}
}

// Of an event for two targets, only the refused act is retried.
func TestADeferredEventDoesNotRepeatAdmittedActs(t *testing.T) {
	for name, wait := range map[string]time.Duration{"it waits": time.Hour, "a person sends it again": 0} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, telling)
			b.world.set("api", 1)
			b.world.set("web", 1)
			b.run(b.spec(tells, func(s *engine.Spec) {
				s.Triggers[0].Wait = wait
				s.Guards.Fleet = &engine.FleetGuard{Targets: 1, Per: 10 * time.Minute}
			}))
			require.NoError(t, b.manager.Router.Publish(t.Context(), event("1")))
			require.Equal(t, map[engine.Verdict]int{engine.Admitted: 1, engine.Refused: 1}, verdicts(b.next()))
			first := b.nextAct()
			b.clock.Advance(20 * time.Minute)
			if wait == 0 {
				_, err := b.manager.Router.Redeliver(t.Context(), []string{b.messages(engine.BoxDead)[0].ID})
				require.NoError(t, err)
			}
			f := b.next()
			require.Equal(t, map[engine.Verdict]int{engine.Admitted: 1, engine.Unchanged: 1}, verdicts(f))
			for _, d := range f.Decisions {
				if d.Verdict == engine.Unchanged {
					require.Contains(t, d.Detail, "done for this event before")
				}
			}
			second := b.nextAct()
			require.NotEqual(t, first.Target, second.Target)
			require.Empty(t, append(b.messages(engine.BoxDead), b.messages(engine.BoxInbox)...))
		})
	}
}

func verdicts(f engine.FiringRecord) map[engine.Verdict]int {
	out := map[engine.Verdict]int{}
	for _, d := range f.Decisions {
		out[d.Verdict]++
	}
	return out
}

// A proposal that a strategy makes at each firing is not caused by the event.
func TestARefusalUnrelatedToTheEventDoesNotDeferIt(t *testing.T) {
	b := newBench(t, telling, ticking)
	b.world.set("web", 1)
	b.run(b.spec(tells, func(s *engine.Spec) {
		s.Strategies = []string{"t.telling", "t.ticking"}
		s.Guards.Budget = &engine.BudgetGuard{Actions: 1, Per: time.Hour}
	}))
	require.NoError(t, b.manager.Router.Publish(t.Context(), event("1")))
	require.Equal(t, map[engine.Verdict]int{engine.Admitted: 1, engine.Refused: 1}, verdicts(b.next()))
	b.nextAct()
	require.Empty(t, b.messages(engine.BoxDead))
}

func TestADryRunHasNoDeadLetters(t *testing.T) {
	b := newBench(t, telling)
	b.world.set("web", 1)
	b.run(b.spec(tells, func(s *engine.Spec) {
		s.Mode = engine.DryRun
		s.Guards.Cooldown = map[string]time.Duration{"hook": time.Hour}
	}))
	for i := range 2 {
		require.NoError(t, b.manager.Router.Publish(t.Context(), event(fmt.Sprint(i))))
	}
	require.Equal(t, engine.Admitted, only(t, b.next()).Verdict)
	b.nextAct()
	require.Equal(t, engine.Refused, only(t, b.next()).Verdict, "each refusal is a row")
	require.Empty(t, append(b.messages(engine.BoxDead), b.messages(engine.BoxInbox)...))
}

// Senders can't set an event's deferral, and policies don't see it.
func TestTheDeferralOfAnEventIsNotInTheDocument(t *testing.T) {
	e := event("1")
	raw, err := json.Marshal(engine.TriggerInfo{Name: "asked", Kind: "event", Event: &e, Deferral: &engine.Deferral{Firing: "f"}})
	require.NoError(t, err)
	require.NotContains(t, string(raw), "eld")
}

// The end of an approval for an event's act is always recorded as a decision, because no
// later firing proposes that act.
func TestTheEndOfAnEventsApprovalIsRecorded(t *testing.T) {
	for name, c := range map[string]struct {
		end   func(b *bench, id string)
		state engine.ApprovalState
		want  string
	}{
		"expired": {func(b *bench, _ string) { b.clock.Advance(time.Hour) }, engine.ApprovalExpired, "nobody answered in time"},
		"denied": {func(b *bench, id string) {
			_, err := b.manager.Approvals.Decide(b.t.Context(), id, false, "ada", "")
			require.NoError(b.t, err)
		}, engine.ApprovalDenied, "denied by ada at "},
		"its target is gone": {func(b *bench, id string) {
			b.world.mu.Lock()
			delete(b.world.replicas, "web")
			b.world.mu.Unlock()
			_, err := b.manager.Approvals.Decide(b.t.Context(), id, true, "ada", "")
			require.NoError(b.t, err)
		}, engine.ApprovalLapsed, "its target is not there any more"},
		"its agent is gone": {func(b *bench, _ string) { b.run() }, engine.ApprovalLapsed, "its agent, ns/answerer, is not there any more"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, telling)
			b.world.set("web", 1)
			b.run(b.spec(tells, func(s *engine.Spec) { s.Guards.Approval, s.Guards.ApprovalExpiry = []string{"hook"}, time.Hour }))
			require.NoError(t, b.manager.Router.Publish(t.Context(), event("1")))
			requested := only(t, b.next())
			require.Equal(t, engine.Waiting, requested.Verdict)
			c.end(b, requested.Approval.ID)
			d := only(t, b.next())
			require.Equal(t, []any{engine.Refused, "guards.approval", "t.telling"}, []any{d.Verdict, d.By, d.Strategy})
			require.Contains(t, d.Detail, c.want)
			require.Equal(t, c.state, b.approval(requested.Approval.ID).State)
			require.Empty(t, b.world.sent)
		})
	}
}

// Equal acts for two events have an approval each. An act that no event caused has one.
func TestEachEventHasItsOwnApproval(t *testing.T) {
	b := newBench(t, telling, ticking)
	b.world.set("web", 1)
	b.run(b.spec(tells, func(s *engine.Spec) {
		s.Strategies = []string{"t.telling", "t.ticking"}
		s.Guards.Approval = []string{"hook"}
	}))
	for i := range 3 {
		require.NoError(t, b.manager.Router.Publish(t.Context(), event(fmt.Sprint(i))))
	}
	requested := map[string]string{} // strategy by approval
	for range 3 {
		for _, d := range b.next().Decisions {
			require.Equal(t, engine.Waiting, d.Verdict, d.Detail)
			requested[d.Approval.ID] = d.Strategy
		}
	}
	require.Len(t, requested, 4)
	var ids []string
	for id, strategy := range requested {
		if strategy == "t.telling" {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	require.Len(t, ids, 3)

	for i, id := range ids[:2] {
		_, err := b.manager.Approvals.Decide(t.Context(), id, true, "ada", "")
		require.NoError(t, err)
		second := b.next()
		require.Equal(t, id, second.Trigger.Approval)
		require.Equal(t, engine.Admitted, only(t, second).Verdict)
		b.nextAct()
		require.Len(t, b.world.sent, i+1)
		require.Equal(t, engine.ApprovalUsed, b.approval(id).State)
	}
	_, err := b.manager.Approvals.Decide(t.Context(), ids[2], false, "ada", "not this one")
	require.NoError(t, err)
	d := only(t, b.next())
	require.Equal(t, []any{engine.Refused, "guards.approval"}, []any{d.Verdict, d.By})
	require.Contains(t, d.Detail, `denied by ada at `)
	require.Contains(t, d.Detail, `"not this one": `+ids[2])
	require.NoError(t, b.manager.Router.Publish(t.Context(), event("3")))
	for _, d := range b.next().Decisions {
		require.Equal(t, engine.Waiting, d.Verdict, "a decision on another event's approval does not apply")
		require.NotContains(t, ids, d.Approval.ID)
	}
	require.Len(t, b.world.sent, 2)
}

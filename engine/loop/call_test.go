package loop_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Forty events whose receiver is down for a while, across restarts, are one call each, under
// one identity and with one outcome.
func TestCallsAreQueuedUntilTheReceiverIsBack(t *testing.T) {
	b, d := newReceiverBench(t)
	d.respondWith(connectionRefused)
	spec := b.spec(callsWebhook)
	b.run(spec)
	for i := range 40 {
		require.NoError(t, b.manager.Router.Publish(t.Context(), event(fmt.Sprint(i))))
	}
	identities := map[string]bool{}
	for range 40 {
		c := only(t, b.next())
		require.Equal(t, engine.Admitted, c.Verdict)
		identities[c.Identity] = true
	}
	require.Len(t, identities, 40)
	for range 3 {
		b.eventually(func() bool { requests, _ := d.counts(); return requests >= 3 })
		b.restart()
		b.run(spec)
	}
	require.Empty(t, b.acted, "they are running")
	boxes, err := b.journal.Depths(t.Context())
	require.NoError(t, err)
	require.Equal(t, engine.QueueDepths{Outbox: 40}, boxes)
	b.eventually(func() bool {
		messages, err := b.manager.Router.Messages(t.Context(), "", -1)
		require.NoError(t, err)
		return len(messages) == 40 && messages[0].Why == "connection refused" && messages[39].Why == "connection refused"
	})
	d.respondWith(nil)
	for _, a := range b.nextActs(40) {
		require.Equal(t, engine.Outcome{Status: engine.Done, Detail: "200 OK", Applied: true}, a.Outcome)
		require.True(t, identities[a.Identity])
		delete(identities, a.Identity)
	}
	_, accepted := d.counts()
	require.Equal(t, 40, accepted)
	open, err := b.journal.Open(t.Context(), "ns/pager")
	require.NoError(t, err)
	require.Empty(t, open)
}

// A final error is a dead letter for an event, which a person redelivers under the same
// identity, and a failure for a tick.
func TestACallWithAFinalError(t *testing.T) {
	b, d := newReceiverBench(t)
	d.respondWith(func(int) (string, error) {
		return "", errors.New("answered 400 Bad Request: {\"error\":\"invalid_payload\"}")
	})
	b.load.setValue("web", 35)
	b.run(b.spec(callsWebhook, func(s *engine.Spec) {
		s.Triggers = append(s.Triggers, engine.Trigger{Name: "tick", Every: time.Minute})
	}))
	first := b.nextActs(1)[0]
	require.Equal(t, engine.Failed, first.Outcome.Status)
	require.Contains(t, first.Outcome.Detail, "invalid_payload")
	require.Empty(t, b.messages(engine.BoxDead), "a tick proposes it again")

	require.NoError(t, b.manager.Router.Publish(t.Context(), event("1")))
	var act engine.Act
	for act = b.nextActs(1)[0]; act.Intent.With["body"] != "retrain"; act = b.nextActs(1)[0] {
	}
	require.Equal(t, engine.Failed, act.Outcome.Status)
	dead := b.messages(engine.BoxDead)
	require.Len(t, dead, 1)
	require.Equal(t, []string{engine.CallType, act.Identity, "http://127.0.0.1:1/hook"}, []string{dead[0].Event.Type, dead[0].Event.ID, dead[0].To})
	require.Contains(t, dead[0].Why, "invalid_payload")

	d.respondWith(nil)
	_, err := b.manager.Router.Redeliver(t.Context(), []string{dead[0].ID})
	require.NoError(t, err)
	b.eventually(func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return len(d.accepted) > 0 && strings.Contains(strings.Join(d.accepted, " "), act.Identity)
	})
	require.Empty(t, b.messages(engine.BoxDead))
	b.eventually(func() bool {
		out := b.outcome(act)
		return out.Status == engine.Done && out.Applied && strings.Contains(out.Detail, "; sent again, after it had failed: answered 400 Bad Request")
	})
}

// outcome returns the outcome of an act from the journal.
func (b *bench) outcome(of engine.Act) engine.Outcome {
	b.t.Helper()
	r, err := b.journal.Remember(b.t.Context(), of.Agent, time.Time{})
	require.NoError(b.t, err)
	i := slices.IndexFunc(r.Acts, func(a engine.Act) bool { return a.Identity == of.Identity })
	require.GreaterOrEqual(b.t, i, 0)
	return r.Acts[i].Outcome
}

// A call that is not answered by its deadline fails with the last reason. The deadline is a
// day for an event, the interval for a tick, or the manifest's.
func TestACallIsRetriedUntilItsDeadline(t *testing.T) {
	for name, c := range map[string]struct {
		retryFor time.Duration
		event    bool
		want     string
		not      time.Duration // the call is still queued after this
	}{
		"an event":                    {0, true, "24h0m0s", 23 * time.Hour},
		"a tick":                      {0, false, "10m0s", 9 * time.Minute},
		"an event, by the manifest":   {time.Hour, true, "1h0m0s", 50 * time.Minute},
		"a tick, by the manifest too": {time.Hour, false, "1h0m0s", 50 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			b, d := newReceiverBench(t)
			d.respondWith(connectionRefused)
			b.run(b.spec(callsWebhook, func(s *engine.Spec) {
				s.RetryFor = c.retryFor
				s.Guards.Cooldown = map[string]time.Duration{"webhook": 48 * time.Hour} // so that no other tick acts
				if !c.event {
					b.load.setValue("web", 35)
					s.Triggers = []engine.Trigger{{Name: "tick", Every: 10 * time.Minute}}
				}
			}))
			if c.event {
				require.NoError(t, b.manager.Router.Publish(t.Context(), event("1")))
			}
			admitted := only(t, b.next())
			require.Equal(t, engine.Admitted, admitted.Verdict)
			b.eventually(func() bool { requests, _ := d.counts(); return requests > 1 })
			require.Empty(t, b.acted)
			b.clock.Advance(c.not)
			requests, _ := d.counts()
			b.eventually(func() bool { now, _ := d.counts(); return now > requests })
			require.Empty(t, b.acted)
			b.clock.Advance(c.not)
			act := b.nextActs(1)[0]
			require.Equal(t, admitted.Identity, act.Identity)
			require.Equal(t, engine.Failed, act.Outcome.Status)
			require.Contains(t, act.Outcome.Detail, "within "+c.want)
			require.Contains(t, act.Outcome.Detail, "connection refused")
			require.Len(t, b.messages(engine.BoxDead), map[bool]int{true: 1, false: 0}[c.event])
			require.Empty(t, b.messages(engine.BoxOutbox))
		})
	}
}

// A newer equal act of a tick replaces a queued one, but neither one in flight nor that of an
// event.
func TestANewerCallReplacesAQueuedOne(t *testing.T) {
	b, d := newReceiverBench(t)
	d.respondWith(connectionRefused)
	b.load.setValue("web", 35)
	b.run(b.spec(callsWebhook, func(s *engine.Spec) {
		s.RetryFor = time.Hour
		s.Triggers = append(s.Triggers, engine.Trigger{Name: "tick", Every: time.Minute})
	}))
	first := only(t, b.next())
	require.Equal(t, engine.Admitted, first.Verdict)
	b.eventually(func() bool { requests, _ := d.counts(); return requests > 1 })
	var second engine.Decision
	b.eventually(func() bool {
		select {
		case f := <-b.fired:
			if len(f.Decisions) == 1 && f.Decisions[0].Verdict == engine.Admitted {
				second = f.Decisions[0]
			}
		default:
		}
		return second.Identity != ""
	})
	old := b.nextActs(1)[0]
	require.Equal(t, []string{first.Identity, string(engine.Abandoned)}, []string{old.Identity, string(old.Outcome.Status)})
	require.Contains(t, old.Outcome.Detail, "replaced by "+second.Identity)
	b.load.setValue("web", 5)
	d.respondWith(nil)
	require.NoError(t, b.manager.Router.Publish(t.Context(), event("1")))
	b.eventually(func() bool { _, accepted := d.counts(); return accepted >= 2 })
	for _, id := range d.accepted {
		require.NotEqual(t, first.Identity, id)
	}
}

// A queued call is not sent while its agent is paused, and fails if the agent may no longer
// call the address or is deleted.
func TestAQueuedCallIsCheckedAgainstTheCurrentSpec(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*engine.Spec)
		gone   bool
		want   string // the outcome's detail; "": the call stays queued
	}{
		"paused":        {change: func(s *engine.Spec) { s.Mode = engine.Paused }},
		"a dry run":     {change: func(s *engine.Spec) { s.Mode = engine.DryRun }},
		"another verb":  {change: func(s *engine.Spec) { s.Primitives = []string{"hook"} }, want: "webhook is no longer among the agent's primitives"},
		"another place": {change: func(s *engine.Spec) { s.Guards.URLs = []string{"http://elsewhere/"} }, want: "not among the addresses that the agent may call any more"},
		"gone":          {gone: true, want: "its agent ns/pager is not run any more"},
	} {
		t.Run(name, func(t *testing.T) {
			b, d := newReceiverBench(t)
			d.respondWith(connectionRefused)
			spec := b.spec(callsWebhook)
			b.run(spec)
			require.NoError(t, b.manager.Router.Publish(t.Context(), event("1")))
			require.Equal(t, engine.Admitted, only(t, b.next()).Verdict)
			b.eventually(func() bool { requests, _ := d.counts(); return requests > 1 })
			changed := spec
			if c.gone {
				changed.Name = "other"
			} else {
				changed.Generation = "2"
				c.change(&changed)
			}
			b.run(changed)
			d.respondWith(nil)
			if c.want == "" {
				for range 200 {
					b.clock.Advance(time.Second)
				}
				require.Len(t, b.messages(engine.BoxOutbox), 1)
				_, accepted := d.counts()
				require.Zero(t, accepted)
				spec.Generation = "3"
				b.run(spec)
				b.eventually(func() bool { _, accepted := d.counts(); return accepted == 1 })
				return
			}
			b.eventually(func() bool { return len(b.messages(engine.BoxDead)) == 1 })
			require.Contains(t, b.messages(engine.BoxDead)[0].Why, c.want)
			_, accepted := d.counts()
			require.Zero(t, accepted)
		})
	}
}

// The guards count a call from its admission and not from its answer.
func TestACooldownCountsFromTheAdmissionOfACall(t *testing.T) {
	b, d := newReceiverBench(t)
	d.respondWith(connectionRefused)
	spec := b.spec(callsWebhook, func(s *engine.Spec) { s.Guards.Cooldown = map[string]time.Duration{"webhook": time.Hour} })
	b.run(spec)
	require.NoError(t, b.manager.Router.Publish(t.Context(), event("1")))
	require.Equal(t, engine.Admitted, only(t, b.next()).Verdict)
	b.eventually(func() bool { requests, _ := d.counts(); return requests > 1 })
	b.clock.Advance(50 * time.Minute)
	d.respondWith(nil)
	b.nextActs(1)
	for i := range 2 {
		require.NoError(t, b.manager.Router.Publish(t.Context(), event(fmt.Sprint("again ", i))))
		require.Equal(t, engine.Refused, only(t, b.next()).Verdict)
		b.restart()
		b.run(spec)
	}
	b.clock.Advance(10 * time.Minute)
	require.NoError(t, b.manager.Router.Publish(t.Context(), event("3")))
	require.Equal(t, engine.Admitted, only(t, b.next()).Verdict)
}

// The recorded outcome of a queued call is that of its delivery, however the agent was changed
// and however long the process was down in the meantime.
func TestTheOutcomeOfACallIsThatOfItsDelivery(t *testing.T) {
	for name, c := range map[string]struct {
		down   time.Duration // between stop and restart; 0: no restart
		change func(*engine.Spec)
		want   engine.Status
		why    string
	}{
		"another strategy":  {change: func(s *engine.Spec) { s.Strategies = []string{"t.scaling"} }, want: engine.Done, why: "200 OK"},
		"it needs approval": {change: func(s *engine.Spec) { s.Guards.Approval = []string{"webhook"} }, want: engine.Done, why: "200 OK"},
		"no such verb":      {change: func(s *engine.Spec) { s.Primitives = []string{"scale"} }, want: engine.Failed, why: "webhook is no longer among the agent's primitives"},
		"another place":     {change: func(s *engine.Spec) { s.Guards.URLs = []string{"http://elsewhere/"} }, want: engine.Failed, why: "not among the addresses that the agent may call any more"},
		"a long time":       {down: 48 * time.Hour, change: func(*engine.Spec) {}, want: engine.Done, why: "200 OK"},
		"too long a time":   {down: 80 * time.Hour, change: func(*engine.Spec) {}, want: engine.Failed, why: "not answered within 72h0m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			b, d := newReceiverBench(t)
			d.respondWith(connectionRefused)
			spec := b.spec(callsWebhook, func(s *engine.Spec) { s.RetryFor = 72 * time.Hour })
			b.run(spec)
			require.NoError(t, b.manager.Router.Publish(t.Context(), event("1")))
			b.eventually(func() bool { requests, _ := d.counts(); return requests > 0 })
			if c.down > 0 {
				b.close()
				b.clock.Advance(c.down)
				b.open()
			}
			d.respondWith(nil)
			changed := spec
			changed.Generation = "2"
			c.change(&changed)
			b.run(changed)
			act := b.nextActs(1)[0]
			require.Equal(t, c.want, act.Outcome.Status, act.Outcome.Detail)
			require.Contains(t, act.Outcome.Detail, c.why)
			require.Equal(t, act.Outcome, b.outcome(act))
			require.Len(t, b.messages(engine.BoxDead), map[engine.Status]int{engine.Done: 0, engine.Failed: 1}[c.want])
		})
	}
}

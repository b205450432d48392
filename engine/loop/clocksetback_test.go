package loop_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// hourly is a cron for each full hour.
type hourly struct{}

func (hourly) Next(t time.Time) time.Time { return t.Truncate(time.Hour).Add(time.Hour) }

// withinHours moves the clock until a condition holds, for at most three hours. No wait in
// these tests is longer, and one that depends on the wrong clock takes a year.
func (b *bench) withinHours(condition func() bool) {
	b.t.Helper()
	end := b.clock.Now().Add(3 * time.Hour)
	require.Eventually(b.t, func() bool {
		if condition() {
			return true
		}
		if b.clock.Now().Before(end) {
			b.clock.Advance(5 * time.Second)
		}
		return false
	}, 30*time.Second, time.Millisecond)
}

func (b *bench) waitingApprovals() (n int) {
	list, err := b.journal.Approvals(b.t.Context(), "", time.Time{})
	require.NoError(b.t, err)
	for _, p := range list {
		if p.State == engine.ApprovalWaiting {
			n++
		}
	}
	return n
}

// The clock was ahead by a year and is set back, while the process runs or while it is down.
// No wait gets longer by that.
func TestNoWaitIsLongerAfterTheClockIsSetBack(t *testing.T) {
	scale := func(b *bench, load float64) func() bool {
		before := b.world.count()
		b.load.setValue("web", load)
		return func() bool { return b.world.count() > before }
	}
	first := func(b *bench) { // an act under the wrong clock
		b.world.set("web", 1)
		b.load.setValue("web", 15)
		b.withinHours(func() bool { return b.world.state()["web"] == 2 })
		b.nextAct()
	}
	for name, c := range map[string]struct {
		spec    func(*engine.Spec)
		more    func(*bench) []engine.Spec
		before  func(*bench)
		after   func(*bench) func() bool // a condition that must hold within hours
		running bool                     // its state is only in the memory of the process
	}{
		"a cooldown": {
			spec:   func(s *engine.Spec) { s.Guards.Cooldown = map[string]time.Duration{"up": 3 * time.Second} },
			before: first, after: func(b *bench) func() bool { return scale(b, 35) },
		},
		"a budget": {
			spec:   func(s *engine.Spec) { s.Guards.Budget = &engine.BudgetGuard{Actions: 1, Per: time.Minute} },
			before: first, after: func(b *bench) func() bool { return scale(b, 35) },
		},
		"a fleet's bound": {
			spec: func(s *engine.Spec) { s.Guards.Fleet = &engine.FleetGuard{Targets: 1, Per: time.Minute} },
			before: func(b *bench) {
				b.world.set("other", 1)
				first(b)
			},
			after: func(b *bench) func() bool {
				b.load.setValue("other", 35)
				return func() bool { return b.world.state()["other"] == 4 }
			},
		},
		"another agent's claim that cools": {
			spec: func(s *engine.Spec) { s.Guards.Cooldown = map[string]time.Duration{"up": time.Minute} },
			more: func(b *bench) []engine.Spec {
				return []engine.Spec{b.spec(func(s *engine.Spec) { s.Name, s.Sensors[0].Name, s.Strategies = "other", "load", []string{"t.wide"} })}
			},
			before: first,
			after: func(b *bench) func() bool {
				b.load.setValue("web", 1)
				return func() bool { return b.world.state()["web"] == 7 }
			},
		},
		"an act that failed": {
			before: func(b *bench) {
				b.world.set("web", 1)
				b.world.mu.Lock()
				b.world.fail = errors.New("forbidden")
				b.world.mu.Unlock()
				b.load.setValue("web", 15)
				b.withinHours(func() bool { return b.world.count() >= 3 })
				b.world.mu.Lock()
				b.world.fail = nil
				b.world.mu.Unlock()
			},
			after:   func(b *bench) func() bool { return func() bool { return b.world.state()["web"] == 2 } },
			running: true,
		},
		"a cron": {
			spec: func(s *engine.Spec) { s.Triggers = []engine.Trigger{{Name: "hourly", Cron: hourly{}}} },
			before: func(b *bench) {
				b.world.set("web", 1)
				b.load.setValue("web", 15)
				b.withinHours(func() bool { return b.world.state()["web"] == 2 })
			},
			after: func(b *bench) func() bool { return scale(b, 35) },
		},
		"an interval": {before: first, after: func(b *bench) func() bool { return scale(b, 35) }},
		"an event whose fleet can't be listed": {
			spec: handlesEvents,
			before: func(b *bench) {
				b.world.mu.Lock()
				b.world.lost = errors.New("no answer")
				b.world.mu.Unlock()
				require.NoError(b.t, b.manager.Router.Publish(b.t.Context(), event("1")))
				b.next()
				b.world.mu.Lock()
				b.world.lost = nil
				b.world.replicas["web"] = 1
				b.world.mu.Unlock()
			},
			after: func(b *bench) func() bool { return func() bool { return len(b.acted) > 0 } },
		},
		"an approval that expires": {
			spec: needsApproval,
			before: func(b *bench) {
				b.world.set("web", 1)
				b.load.setValue("web", 15)
				b.withinHours(func() bool { return b.waitingApprovals() == 1 })
			},
			after: func(b *bench) func() bool {
				id := b.waitingApproval().ID
				return func() bool { return b.approval(id).State == engine.ApprovalExpired }
			},
		},
		"a denial": {
			spec: func(s *engine.Spec) {
				needsApproval(s)
				s.Guards.ApprovalExpiry = time.Hour
			},
			before: func(b *bench) {
				b.world.set("web", 1)
				b.load.setValue("web", 15)
				b.withinHours(func() bool { return b.waitingApprovals() == 1 })
				_, err := b.manager.Approvals.Decide(b.t.Context(), b.waitingApproval().ID, false, "ada", "no")
				require.NoError(b.t, err)
			},
			after: func(b *bench) func() bool { return func() bool { return b.waitingApprovals() == 1 } },
		},
		"an approval that a cooldown holds back": {
			spec: func(s *engine.Spec) {
				needsApproval(s)
				s.Guards.ApprovalExpiry = 2 * time.Hour
				s.Guards.Cooldown = map[string]time.Duration{"up": time.Minute}
			},
			before: func(b *bench) {
				b.world.set("web", 1)
				b.load.setValue("web", 15)
				for _, load := range []float64{15, 35} {
					b.load.setValue("web", load)
					b.withinHours(func() bool { return b.waitingApprovals() == 1 })
					_, err := b.manager.Approvals.Decide(b.t.Context(), b.waitingApproval().ID, true, "ada", "")
					require.NoError(b.t, err)
					if load == 15 {
						b.withinHours(func() bool { return b.world.state()["web"] == 2 })
					}
				}
			},
			after: func(b *bench) func() bool { return func() bool { return b.world.state()["web"] == 4 } },
		},
	} {
		for _, restart := range []bool{false, true} {
			if restart && c.running {
				continue
			}
			t.Run(fmt.Sprintf("%s, restarted %t", name, restart), func(t *testing.T) {
				t.Parallel()
				b := newBench(t, answering, wide)
				specs := []engine.Spec{b.spec()}
				if c.spec != nil {
					specs = []engine.Spec{b.spec(c.spec)}
				}
				if c.more != nil {
					specs = append(specs, c.more(b)...)
				}
				b.clock.Set(start.AddDate(1, 0, 0))
				b.run(specs[0])
				c.before(b)
				if restart {
					b.close()
				}
				b.clock.Set(start)
				if restart {
					b.open()
				}
				b.run(specs...)
				b.withinHours(c.after(b))
			})
		}
	}
}

// wide proposes seven replicas at a load of 1.
const wide = `package scanflow.strategies.t.wide

propose contains {"primitive": "scale", "with": {"replicas": 7}, "priority": 90, "reason": "wide", "because": ["load"]} if input.signals.load.value == 1
`

// A delivery to a peer times out after a day, however far the clock was ahead.
func TestADeliveryTimesOutAfterADayThoughTheClockWasSetBack(t *testing.T) {
	b := newBench(t)
	b.deliverer = &fakePeer{fault: func(int) string { return "refused connection" }}
	b.clock.Set(start.AddDate(1, 0, 0))
	b.restart()
	b.run()
	require.NoError(t, b.manager.Router.Publish(t.Context(), event("1")))
	b.clock.Set(start)
	require.Eventually(t, func() bool {
		b.clock.Advance(time.Minute)
		boxes, err := b.journal.Depths(t.Context())
		require.NoError(t, err)
		return boxes.Dead == 1
	}, 30*time.Second, time.Millisecond)
	require.Less(t, b.clock.Now().Sub(start), 300*24*time.Hour)
}

package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// everyDay is a cron for noon.
type everyDay struct{}

func (everyDay) Next(t time.Time) time.Time {
	noon := t.Truncate(24 * time.Hour).Add(12 * time.Hour)
	if !noon.After(t) {
		noon = noon.Add(24 * time.Hour)
	}
	return noon
}

// No wait is longer than it would be had it begun when the clock was found to be set back.
func TestNoGuardWaitsLongerThanItsLength(t *testing.T) {
	const length = time.Minute
	for name, g := range map[string]Guards{
		"cooldown": {Cooldown: map[string]time.Duration{"up": length}},
		"budget":   {Budget: &BudgetGuard{Actions: 1, Per: length}},
		"fleet":    {Fleet: &FleetGuard{Targets: 1, Per: length}},
		"backoff":  {},
	} {
		for _, by := range []time.Duration{time.Second, time.Minute, 365 * 24 * time.Hour} {
			t.Run(fmt.Sprint(name, " by ", by), func(t *testing.T) {
				a := guarded(g)
				other := scaleTo(1, 2)
				if name == "fleet" {
					other.Target.Name, a.fleetSize = "other", 2
				}
				in := Intent{Identity: "act", Strategy: other.Strategy, Primitive: "scale", With: other.With, Target: scaleTo(1, 2).Target.ID(), Direction: Up, At: epoch.Add(by)}
				m := a.memoryOf(in.Target)
				m.counted(in, g.Horizon())
				status := Done
				if name == "backoff" {
					status = Failed
				}
				m.ended(in, Outcome{Status: status}, epoch.Add(by), false)
				refused := func(now time.Time) bool {
					c := *other
					c.decision = Decision{Verdict: Admitted, With: c.With}
					a.touched = nil
					a.try(&c, now)
					if c.live() {
						c.slot = &slot{doc: Document{Trigger: &TriggerInfo{}}}
						a.backOff(&c, now)
					}
					return !c.live()
				}
				a.seen = epoch.Add(by)
				clock := NewManualClock(epoch)
				a.host.Clock = clock
				a.clockSetBack(newSchedule(nil, epoch, "ns/a", 1))
				require.True(t, refused(epoch), "it waits from now on")
				require.Equal(t, epoch.UnixNano(), m.doc[in.Strategy].Last["scale"].AtNS, "and a policy is not told of what is to come")
				require.False(t, refused(epoch.Add(length)), "and no longer")
			})
		}
	}
}

// Acts of an earlier life under a clock that was ahead hold up nothing of later.
func TestWhatIsRecalledIsNotAhead(t *testing.T) {
	id := scaleTo(1, 2).Target.ID()
	act := func(identity string, at time.Time) Act {
		return Act{Intent: Intent{Identity: identity, Primitive: "scale", Target: id, Direction: Up, At: at}, Outcome: Outcome{Status: Done}, EndedAt: at}
	}
	r := Recollection{Acts: []Act{act("ahead", epoch.AddDate(1, 0, 0)), act("right", epoch.Add(-time.Second))}}
	m := recall(r.inPast(epoch), false, time.Minute, nil)[id]
	require.Equal(t, 2, m.since(epoch.Add(-time.Minute), nil), "the later one has the earlier not forgotten")
	require.Zero(t, m.since(epoch, nil))
	require.Equal(t, epoch.AddDate(1, 0, 0), r.Acts[0].At, "the journal's is left alone")
}

func TestTriggersAfterTheClockWasSetBack(t *testing.T) {
	for name, c := range map[string]struct {
		trigger Trigger
		start   time.Duration // of the process, from noon
		fires   time.Duration // when the clock is set back
		to      time.Duration
		want    time.Duration // the next firing
	}{
		"an interval":                    {Trigger{Every: time.Hour}, 0, 0, -365 * 24 * time.Hour, -365*24*time.Hour + time.Hour},
		"an interval, by little":         {Trigger{Every: time.Hour}, 0, time.Minute, 0, time.Hour},
		"a cron":                         {Trigger{Cron: everyDay{}}, time.Hour, 24 * time.Hour, -365 * 24 * time.Hour, -364 * 24 * time.Hour},
		"a cron that fired, by little":   {Trigger{Cron: everyDay{}}, -time.Hour, time.Second, -time.Second, 24 * time.Hour},
		"a cron that fired, by hours":    {Trigger{Cron: everyDay{}}, -time.Hour, time.Second, -4 * time.Hour, 0},
		"a cron not yet, by little":      {Trigger{Cron: everyDay{}}, -time.Hour, -time.Second, -2 * time.Second, 0},
		"a time that was taken for past": {Trigger{At: epoch}, time.Hour, 2 * time.Hour, -time.Hour, 0},
		"a time that is still to come":   {Trigger{At: epoch}, -2 * time.Hour, -time.Hour, -90 * time.Minute, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSchedule([]Trigger{c.trigger}, epoch.Add(c.start), "ns/a", 1)
			s.take(epoch.Add(c.fires))
			now := epoch.Add(c.to)
			s.rewind(now, c.fires-c.to)
			next, any := s.next()
			require.True(t, any)
			require.Equal(t, epoch.Add(c.want), next)
		})
	}
	s := newSchedule([]Trigger{{At: epoch}}, epoch.Add(-time.Hour), "ns/a", 1)
	s.take(epoch)
	s.rewind(epoch.AddDate(-1, 0, 0), 365*24*time.Hour)
	_, any := s.next()
	require.False(t, any, "a time that fired does not come again")
}

// A value of a clock that was ahead is not fresh for a year, and no age is negative.
func TestAValueIsNotYoungerThanNow(t *testing.T) {
	last := lastGood{Value: 1.0, At: epoch.AddDate(1, 0, 0)}
	s := judge(Signal{State: Empty}, nil, epoch, time.Minute, &last)
	require.Equal(t, Stale, s.State)
	require.Zero(t, s.Age(epoch))
	s = judge(Signal{State: Empty}, nil, epoch.Add(2*time.Minute), time.Minute, &last)
	require.Equal(t, Empty, s.State)
	ahead := Signal{State: OK, Value: 1.0, At: epoch.Add(time.Second)}
	require.Equal(t, int64(0), ahead.Input(epoch)["age_ns"])
}

// A claim cools for as long as it was to.
func TestAClaimDoesNotCoolForAYear(t *testing.T) {
	c, id, ahead := newClaims(), TargetID{Name: "web"}, epoch.AddDate(1, 0, 0)
	_, _, _, ok := c.take(id, "replicas", Claim{Agent: "ns/a"}, "act", ahead)
	require.True(t, ok)
	c.release(id, "replicas", "act", ahead.Add(time.Minute), ahead)
	_, until, free := c.free(id, "replicas", "ns/b", epoch)
	require.False(t, free)
	require.Equal(t, epoch.Add(time.Minute), until)
	_, _, free = c.free(id, "replicas", "ns/b", epoch.Add(time.Minute))
	require.True(t, free)
}

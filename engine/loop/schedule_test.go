package loop

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestAnIntervalFiresAtOnceAndThenOnItsGrid(t *testing.T) {
	s := newSchedule([]engine.Trigger{{Name: "tick", Every: 10 * time.Second}}, epoch, "ns/a", 1)
	var fired []time.Duration
	for now := epoch; now.Before(epoch.Add(35 * time.Second)); now = now.Add(time.Second) {
		for range s.take(now) {
			fired = append(fired, now.Sub(epoch))
		}
	}
	require.Equal(t, []time.Duration{0, 10 * time.Second, 20 * time.Second, 30 * time.Second}, fired)
}

func TestFiringsMissedWhileBusyCoalesceIntoOneOfEachTrigger(t *testing.T) {
	s := newSchedule([]engine.Trigger{{Name: "a", Every: time.Second}, {Name: "b", Every: 2 * time.Second}}, epoch, "ns/a", 1)
	s.take(epoch)
	due := s.take(epoch.Add(time.Minute))
	require.Len(t, due, 2)
	require.Equal(t, []string{"a", "b"}, []string{due[0].trigger.Name, due[1].trigger.Name})
	require.Equal(t, epoch.Add(time.Second), due[0].since, "the lag is counted from the first that was missed")
	next, any := s.next()
	require.True(t, any)
	require.Equal(t, epoch.Add(61*time.Second), next)
}

func TestJitterIsLateAndNeverAccumulatesAndIsSeeded(t *testing.T) {
	draw := func(seed uint64) (out []time.Time) {
		s := newSchedule([]engine.Trigger{{Every: 10 * time.Second, Jitter: 3 * time.Second}}, epoch, "ns/a", seed)
		for range 50 {
			at, _ := s.next()
			s.take(at)
			out = append(out, at)
		}
		return out
	}
	first := draw(7)
	require.Equal(t, first, draw(7))
	require.NotEqual(t, first, draw(8))
	for i, at := range first[1:] {
		late := at.Sub(epoch.Add(time.Duration(i+1) * 10 * time.Second))
		require.GreaterOrEqual(t, late, time.Duration(0))
		require.Less(t, late, 3*time.Second)
	}
}

func TestAtFiresOnceAndNotForAPastTime(t *testing.T) {
	s := newSchedule([]engine.Trigger{{Name: "past", At: epoch.Add(-time.Second)}, {Name: "soon", At: epoch.Add(time.Second)}}, epoch, "ns/a", 1)
	due := s.take(epoch.Add(time.Hour))
	require.Len(t, due, 1)
	require.Equal(t, engine.TriggerInfo{Name: "soon", Kind: "at"}, due[0].trigger)
	_, any := s.next()
	require.False(t, any)
}

// everyDay is a cron for noon.
type everyDay struct{}

func (everyDay) Next(t time.Time) time.Time {
	noon := t.Truncate(24 * time.Hour).Add(12 * time.Hour)
	if !noon.After(t) {
		noon = noon.Add(24 * time.Hour)
	}
	return noon
}

func TestTriggersAfterTheClockWasSetBack(t *testing.T) {
	for name, c := range map[string]struct {
		trigger engine.Trigger
		start   time.Duration // of the process, from noon
		fires   time.Duration // when the clock is set back
		to      time.Duration
		want    time.Duration // the next firing
	}{
		"an interval":                    {engine.Trigger{Every: time.Hour}, 0, 0, -365 * 24 * time.Hour, -365*24*time.Hour + time.Hour},
		"an interval, by little":         {engine.Trigger{Every: time.Hour}, 0, time.Minute, 0, time.Hour},
		"a cron":                         {engine.Trigger{Cron: everyDay{}}, time.Hour, 24 * time.Hour, -365 * 24 * time.Hour, -364 * 24 * time.Hour},
		"a cron that fired, by little":   {engine.Trigger{Cron: everyDay{}}, -time.Hour, time.Second, -time.Second, 24 * time.Hour},
		"a cron that fired, by hours":    {engine.Trigger{Cron: everyDay{}}, -time.Hour, time.Second, -4 * time.Hour, 0},
		"a cron not yet, by little":      {engine.Trigger{Cron: everyDay{}}, -time.Hour, -time.Second, -2 * time.Second, 0},
		"a time that was taken for past": {engine.Trigger{At: epoch}, time.Hour, 2 * time.Hour, -time.Hour, 0},
		"a time that is still to come":   {engine.Trigger{At: epoch}, -2 * time.Hour, -time.Hour, -90 * time.Minute, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSchedule([]engine.Trigger{c.trigger}, epoch.Add(c.start), "ns/a", 1)
			s.take(epoch.Add(c.fires))
			now := epoch.Add(c.to)
			s.rewind(now, c.fires-c.to)
			next, any := s.next()
			require.True(t, any)
			require.Equal(t, epoch.Add(c.want), next)
		})
	}
	s := newSchedule([]engine.Trigger{{At: epoch}}, epoch.Add(-time.Hour), "ns/a", 1)
	s.take(epoch)
	s.rewind(epoch.AddDate(-1, 0, 0), 365*24*time.Hour)
	_, any := s.next()
	require.False(t, any, "a time that fired does not come again")
}

package engine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestAnIntervalFiresAtOnceAndThenOnItsGrid(t *testing.T) {
	s := newSchedule([]Trigger{{Name: "tick", Every: 10 * time.Second}}, epoch, "ns/a", 1)
	var fired []time.Duration
	for now := epoch; now.Before(epoch.Add(35 * time.Second)); now = now.Add(time.Second) {
		due, _ := s.take(now)
		for range due {
			fired = append(fired, now.Sub(epoch))
		}
	}
	require.Equal(t, []time.Duration{0, 10 * time.Second, 20 * time.Second, 30 * time.Second}, fired)
}

func TestFiringsMissedWhileBusyCoalesceIntoOneOfEachTrigger(t *testing.T) {
	s := newSchedule([]Trigger{{Name: "a", Every: time.Second}, {Name: "b", Every: 2 * time.Second}}, epoch, "ns/a", 1)
	s.take(epoch)
	due, since := s.take(epoch.Add(time.Minute))
	require.Len(t, due, 2)
	require.Equal(t, []string{"a", "b"}, []string{due[0].Name, due[1].Name})
	require.Equal(t, epoch.Add(time.Second), since[0], "the lag is counted from the first that was missed")
	next, any := s.next()
	require.True(t, any)
	require.Equal(t, epoch.Add(61*time.Second), next)
}

func TestJitterIsLateAndNeverAccumulatesAndIsSeeded(t *testing.T) {
	draw := func(seed uint64) (out []time.Time) {
		s := newSchedule([]Trigger{{Every: 10 * time.Second, Jitter: 3 * time.Second}}, epoch, "ns/a", seed)
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
	s := newSchedule([]Trigger{{Name: "past", At: epoch.Add(-time.Second)}, {Name: "soon", At: epoch.Add(time.Second)}}, epoch, "ns/a", 1)
	due, _ := s.take(epoch.Add(time.Hour))
	require.Len(t, due, 1)
	require.Equal(t, TriggerInfo{Name: "soon", Kind: "at"}, due[0])
	_, any := s.next()
	require.False(t, any)
}

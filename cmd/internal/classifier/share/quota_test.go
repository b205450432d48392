package share

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// machine is a clock and a core on which neighbours may run.
type machine struct {
	now    time.Time
	used   time.Duration
	slept  []time.Duration
	refuse error
}

func (m *machine) clock() Clock {
	return Clock{
		Now:  func() time.Time { return m.now },
		Used: func() time.Duration { return m.used },
		Sleep: func(_ context.Context, d time.Duration) error {
			m.slept = append(m.slept, d)
			m.now = m.now.Add(d)
			return m.refuse
		},
	}
}

// works has the program use so much CPU time, and neighbours so much of its core.
func (m *machine) works(used, neighbours time.Duration) {
	m.used += used
	m.now = m.now.Add(used + neighbours)
}

const ms = time.Millisecond

func TestTheShareIsKept(t *testing.T) {
	for _, c := range []struct {
		name              string
		share             Share
		piece, neighbours time.Duration
		want              float64 // cores
	}{
		{"small pieces", 150, ms, 0, 0.15},
		{"pieces that do not divide the share", 150, 4 * ms, 0, 0.15},
		{"pieces longer than the share", 50, 30 * ms, 0, 0.05},
		{"pieces longer than a period", 150, 130 * ms, 0, 0.15},
		{"a neighbour takes half of the core", 150, 2 * ms, 2 * ms, 0.15},
		{"neighbours leave less than the share", 400, 2 * ms, 8 * ms, 0.2},
		{"a whole core", 1000, 3 * ms, 0, 1},
		{"more than a core", 2500, 3 * ms, 0, 1},
		{"no bound", 0, 3 * ms, 0, 1},
	} {
		m := &machine{now: time.Unix(100, 0), used: time.Hour}
		q := New(c.share, m.clock())
		began := m.now
		for m.now.Sub(began) < 20*time.Second {
			m.works(c.piece, c.neighbours)
			require.NoError(t, q.Pause(t.Context()))
			used, passed := m.used-time.Hour, m.now.Sub(began)
			if c.share > 0 {
				bound := time.Duration(float64(passed)*c.share.Cores()) + Period*time.Duration(c.share)/1000 + c.piece
				require.LessOrEqual(t, used, bound, "%s: after %s", c.name, passed)
			}
		}
		require.InEpsilon(t, c.want, (m.used-time.Hour).Seconds()/m.now.Sub(began).Seconds(), 0.03, c.name)
	}
}

// Unused quota is not kept: after a pause there is the share of one period.
func TestAnIdlePeriodIsLost(t *testing.T) {
	m := &machine{now: time.Unix(100, 0)}
	q := New(150, m.clock())
	m.now = m.now.Add(time.Hour)
	require.NoError(t, q.Pause(t.Context()))
	for range 7 {
		m.works(2*ms, 0)
		require.NoError(t, q.Pause(t.Context()))
	}
	require.Empty(t, m.slept, "14 ms are less than 15 ms")
	m.works(2*ms, 0)
	require.NoError(t, q.Pause(t.Context()))
	require.Equal(t, []time.Duration{84 * ms}, m.slept, "until the next period")
}

func TestPauseEndsWithItsContext(t *testing.T) {
	m := &machine{now: time.Unix(100, 0), refuse: context.Canceled}
	q := New(100, m.clock())
	m.works(50*ms, 0)
	require.ErrorIs(t, q.Pause(t.Context()), context.Canceled)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("gone"))
	require.ErrorIs(t, New(0, m.clock()).Pause(ctx), context.Canceled, "also where nothing is bound")
	require.ErrorIs(t, New(100, System()).Pause(ctx), context.Canceled)
}

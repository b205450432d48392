package backoff

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestExponential(t *testing.T) {
	e := Exponential{First: 100 * time.Millisecond, Most: time.Second}
	for failures, want := range []time.Duration{0, 100, 200, 400, 800, 1000, 1000} {
		require.Equal(t, want*time.Millisecond, e.After(failures), "after %d failures", failures)
	}
	require.Equal(t, time.Second, e.After(math.MaxInt))
	require.Zero(t, e.After(-1))
}

func TestExponentialWithFirstBeyondMost(t *testing.T) {
	e := Exponential{First: time.Minute, Most: time.Second}
	require.Equal(t, time.Second, e.After(1))
	require.Equal(t, time.Second, e.After(2))
}

func TestExponentialOfNothing(t *testing.T) {
	require.Zero(t, Exponential{Most: time.Second}.After(math.MaxInt))
}

package workflow

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A run that started while the clock was ahead keeps its deadline and its retries.
func TestClampFuture(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ahead := now.AddDate(1, 0, 0)
	past := now.Add(-time.Hour)
	r := record{StartedAt: ahead, Deadline: ahead.Add(time.Hour), Steps: map[string]*step{
		"a": {Attempts: []*attempt{{StartedAt: past, FinishedAt: past}, {StartedAt: ahead, FinishedAt: ahead.Add(time.Second)}}},
		"b": {Attempts: []*attempt{{StartedAt: ahead}}},
	}}
	require.True(t, r.clampFuture(now))
	require.Equal(t, now, r.StartedAt)
	require.Equal(t, now.Add(time.Hour), r.Deadline)
	require.Equal(t, []*attempt{{StartedAt: past, FinishedAt: past}, {StartedAt: now, FinishedAt: now}}, r.Steps["a"].Attempts)
	require.Equal(t, []*attempt{{StartedAt: now}}, r.Steps["b"].Attempts, "what has not ended has no end")
	require.False(t, r.clampFuture(now), "once")
}

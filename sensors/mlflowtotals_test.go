package sensors

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Runs that were taken for settled because the clock was ahead may still change. They are
// counted again after the clock is set back.
func TestTallyBeginsAnewAfterTheClockWasSetBack(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	var all runTotalsCache
	ahead := all.get("k", now.Add(25*time.Hour))
	ahead.settled.runs = 7
	require.Same(t, ahead, all.get("k", now.Add(25*time.Hour)))
	require.Same(t, ahead, all.get("k", now.Add(25*time.Hour+time.Minute)))

	behind := all.get("k", now)
	require.NotSame(t, ahead, behind)
	require.Zero(t, behind.settled.runs)
	require.Same(t, behind, all.get("k", now.Add(time.Minute)))
}

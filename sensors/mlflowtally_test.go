package sensors

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Runs that were taken for settled by a clock that was ahead may still change, and are
// counted anew once it is set back.
func TestTallyBeginsAnewAfterTheClockWasSetBack(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	var all tallies
	ahead := all.of("k", now.Add(25*time.Hour))
	ahead.done.runs = 7
	require.Same(t, ahead, all.of("k", now.Add(25*time.Hour)))
	require.Same(t, ahead, all.of("k", now.Add(25*time.Hour+time.Minute)))

	behind := all.of("k", now)
	require.NotSame(t, ahead, behind)
	require.Zero(t, behind.done.runs)
	require.Same(t, behind, all.of("k", now.Add(time.Minute)))
}

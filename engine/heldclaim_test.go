package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// A claim of a peer whose clock is ahead is held for its intended duration, even if the peer is
// gone before its clock is corrected.
func TestAClaimOfAPeerWhoseClockWasAheadEnds(t *testing.T) {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ahead := engine.HeldClaim{Since: start.AddDate(1, 0, 0), Until: start.AddDate(1, 0, 0).Add(time.Minute)}
	require.Equal(t, engine.HeldClaim{Since: start, Until: start.Add(time.Minute)}, ahead.Rebase(start))
	right := engine.HeldClaim{Since: start.Add(-time.Minute), Until: start.Add(time.Minute)}
	require.Equal(t, right, right.Rebase(start))
}

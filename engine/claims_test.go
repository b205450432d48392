package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Targets come and go for weeks: what cools down on one that is gone is not kept.
func TestClaimsOfTargetsThatAreGoneAreNotKept(t *testing.T) {
	c, now := newClaims(), time.Unix(0, 0)
	for i := range 20 * sweepEvery {
		target, identity := TargetID{Name: fmt.Sprint("t", i)}, fmt.Sprint(i)
		_, _, _, ok := c.take(target, "replicas", Claim{Agent: "a"}, identity, now)
		require.True(t, ok)
		c.release(target, "replicas", identity, now.Add(time.Minute), now)
		now = now.Add(time.Second)
	}
	require.Less(t, len(c.by), 2*sweepEvery)
	kept := TargetID{Name: "kept"}
	_, _, _, ok := c.take(kept, "replicas", Claim{Agent: "a"}, "still", now)
	require.True(t, ok)
	c.mu.Lock()
	c.sweep(now.Add(time.Hour))
	c.mu.Unlock()
	require.Len(t, c.by, 1, "an act under way keeps its claim")
}

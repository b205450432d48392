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

// What replaces a target's pods goes one at a time, under whichever claim.
func TestOneRolloutAtATime(t *testing.T) {
	c, now, web := newClaims(), time.Unix(0, 0), TargetID{Name: "web"}
	take := func(claim, identity string) (Claim, bool) {
		holder, _, _, ok := c.take(web, claim, Claim{Agent: "ns/" + claim, Verb: claim}, identity, now)
		return holder, ok
	}
	_, ok := take("model", "1")
	require.True(t, ok)
	for _, other := range []string{"placement", "pods"} {
		holder, ok := take(other, "2")
		require.False(t, ok)
		require.Equal(t, "model", holder.Name)
		require.Equal(t, "placement has to wait: model is held by model of ns/model (running)", heldBy("placement", holder, time.Time{}))
		_, _, free := c.free(web, other, "ns/"+other, now)
		require.False(t, free, "a dry run sees it too")
	}
	_, ok = take("replicas", "3")
	require.True(t, ok, "how many pods there are is another matter")
	c.release(web, "model", "1", now.Add(time.Minute), now)
	_, ok = take("pods", "4")
	require.True(t, ok, "one that cools down replaces nothing any more")
}

func TestClaimsAreShownWithTheirEnd(t *testing.T) {
	clock := NewManualClock(time.Unix(1000, 0).UTC())
	h := NewHost(Config{Clock: clock, Verbs: map[string]Verb{"place": {Deadline: 5 * time.Minute}}})
	web := TargetID{Namespace: "ns", Name: "web"}
	for i, claim := range []string{"traffic", "placement"} {
		_, _, _, ok := h.claims.take(web, claim, Claim{Agent: "ns/a", Strategy: "s", Verb: []string{"traffic", "place"}[i]}, fmt.Sprint(i), clock.Now())
		require.True(t, ok)
	}
	h.claims.release(web, "traffic", "0", clock.Now().Add(30*time.Second), clock.Now())
	require.Equal(t, []HeldClaim{
		{"ns/web", "placement", "ns/a", "s", "place", "running", clock.Now(), "1", clock.Now().Add(5 * time.Minute)},
		{"ns/web", "traffic", "ns/a", "s", "traffic", "cooling", clock.Now(), "0", clock.Now().Add(30 * time.Second)},
	}, h.Claims())
	clock.Advance(time.Minute)
	require.Len(t, h.Claims(), 1, "they expire")
}

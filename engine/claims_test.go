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
		{"", "ns/web", "placement", "ns/a", "s", "place", "running", clock.Now(), "1", clock.Now().Add(5 * time.Minute), ""},
		{"", "ns/web", "traffic", "ns/a", "s", "traffic", "cooling", clock.Now(), "0", clock.Now().Add(30 * time.Second), ""},
	}, h.Claims())
	clock.Advance(time.Minute)
	require.Len(t, h.Claims(), 1, "they expire")
}

// What agents of other processes hold counts, but for agents that run here too: a
// process may be its own peer, or have taken an agent over.
func TestWhatIsHeldElsewhere(t *testing.T) {
	web, now := TargetID{"Deployment", "ns", "web"}, time.Unix(1000, 0)
	held := func(claim, agent, state string, left time.Duration) HeldClaim {
		return HeldClaim{Kind: "Deployment", Target: "ns/web", Claim: claim, Agent: agent, Verb: "v", State: state, Until: now.Add(left), Peer: "http://east"}
	}
	there := map[TargetID][]HeldClaim{web: {
		held("workflow/train", "ns/far", "running", time.Hour), held("model", "ns/far", "running", time.Hour),
		held("traffic", "ns/far", "cooling", time.Minute), held("replicas", "ns/far", "running", 0), held("tag", "ns/near", "running", time.Hour),
	}}
	require.Equal(t, web, there[web][0].On())
	h := NewHost(Config{Clock: NewManualClock(now), Elsewhere: func() map[TargetID][]HeldClaim { return there }})
	h.wanted.Store(&map[string]bool{"ns/near": true})
	_, _, _, ok := h.claims.take(web, "traffic", Claim{Agent: "ns/near", Verb: "traffic"}, "1", now)
	require.True(t, ok)
	var names []string
	for _, c := range h.claimsOn(web, now) {
		names = append(names, c.Name+" of "+c.Agent)
	}
	require.Equal(t, []string{"model of ns/far", "traffic of ns/near", "workflow/train of ns/far"}, names)
	require.Empty(t, h.claimsOn(TargetID{"StatefulSet", "ns", "web"}, now))

	for name, why := range map[string]string{
		"model": "model is held by v of ns/far (running), at http://east", "pods": "pods has to wait: model is held by v of ns/far (running), at http://east",
		"traffic": "traffic is held by v of ns/far (cooling until 1970-01-01T00:17:40Z), at http://east", "replicas": "", "tag": "", "": "",
	} {
		c, is := h.heldElsewhere(web, name, now)
		require.Equal(t, why != "", is, name)
		if is {
			require.Equal(t, why, c.heldBy(name))
		}
	}
}

package claim

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// intentOf is the intent of an act that took a claim.
func intentOf(k Key) *engine.Intent {
	return &engine.Intent{Claim: k.Claim, Change: engine.Change{Proposal: engine.Proposal{
		Agent: k.Agent, Target: k.Target.Target(), Strategy: k.Strategy, Primitive: k.Verb, Identity: k.Identity,
	}}}
}

// Over weeks, targets come and go. The claims on a deleted target are dropped after their cooldown.
func TestClaimsOfTargetsThatAreGoneAreDropped(t *testing.T) {
	c, now := NewTable(), time.Unix(0, 0)
	for i := range 20 * sweepEvery {
		k := Key{Target: engine.TargetID{Name: fmt.Sprint("t", i)}, Claim: "replicas", Agent: "a", Identity: fmt.Sprint(i)}
		_, held := c.Take(k, now)
		require.Nil(t, held)
		c.Release(intentOf(k), End{At: now, Cooldown: time.Minute}, now)
		now = now.Add(time.Second)
	}
	require.Less(t, len(c.by), 2*sweepEvery)
	_, held := c.Take(Key{Target: engine.TargetID{Name: "kept"}, Claim: "replicas", Agent: "a", Identity: "still"}, now)
	require.Nil(t, held)
	c.mu.Lock()
	c.sweep(now.Add(time.Hour))
	c.mu.Unlock()
	require.Len(t, c.by, 1, "an act in progress keeps its claim")
}

// Acts that replace a target's pods run one at a time, whatever their claims.
func TestOneRolloutAtATime(t *testing.T) {
	c, now, web := NewTable(), time.Unix(0, 0), engine.TargetID{Name: "web"}
	key := func(claim, identity string) Key {
		return Key{Target: web, Claim: claim, Agent: "ns/" + claim, Verb: claim, Identity: identity}
	}
	take := func(claim, identity string) *Holder { _, held := c.Take(key(claim, identity), now); return held }
	require.Nil(t, take("model", "1"))
	for _, other := range []string{"placement", "pods"} {
		held := take(other, "2")
		require.NotNil(t, held)
		require.Equal(t, "model", held.Name)
		require.Equal(t, "placement has to wait: model is held by model of ns/model (running)", held.Explain(Key{Claim: "placement"}))
		require.NotNil(t, c.Free(key(other, ""), now), "a dry run sees it too")
	}
	require.Nil(t, take("replicas", "3"), "the number of pods does not matter")
	c.Release(intentOf(key("model", "1")), End{At: now, Cooldown: time.Minute}, now)
	require.Nil(t, take("pods", "4"), "an act that cools down replaces nothing any more")
}

func TestClaimsAreListedWithTheirEnd(t *testing.T) {
	c, now, web := NewTable(), time.Unix(1000, 0).UTC(), engine.TargetID{Namespace: "ns", Name: "web"}
	for i, claim := range []string{"traffic", "placement"} {
		_, held := c.Take(Key{Target: web, Claim: claim, Agent: "ns/a", Strategy: "s", Verb: []string{"traffic", "place"}[i], Identity: fmt.Sprint(i)}, now)
		require.Nil(t, held)
	}
	release := intentOf(Key{Target: web, Claim: "traffic", Identity: "0"})
	release.Diff = "a 100% -> 90%"
	c.Release(release, End{At: now, Applied: true, Cooldown: 30 * time.Second, Hold: 50 * time.Second}, now)
	deadline := func(verb string) time.Duration { return map[string]time.Duration{"place": 5 * time.Minute}[verb] }
	require.Equal(t, []engine.HeldClaim{
		{Target: "ns/web", Claim: "placement", Agent: "ns/a", Strategy: "s", Verb: "place", State: "running", Since: now, Identity: "1", Until: now.Add(5 * time.Minute)},
		{Target: "ns/web", Claim: "traffic", Agent: "ns/a", Strategy: "s", Verb: "traffic", State: "cooling", Since: now, Identity: "0", Until: now.Add(50 * time.Second), Wrote: now, Change: "a 100% -> 90%"},
	}, c.List(now, deadline))
	require.Equal(t, "held", c.List(now.Add(30*time.Second), deadline)[1].State, "after the cooldown")
	require.Len(t, c.List(now.Add(time.Minute), deadline), 1, "they expire")
}

// The claims of agents in other processes count, except those of agents that run here too: a
// process may be its own peer, or have taken an agent over.
func TestClaimsOfOtherProcesses(t *testing.T) {
	web, now := engine.TargetID{Kind: "Deployment", Namespace: "ns", Name: "web"}, time.Unix(1000, 0)
	held := func(claim, agent, state string, left time.Duration) engine.HeldClaim {
		return engine.HeldClaim{Kind: "Deployment", Target: "ns/web", Claim: claim, Agent: agent, Verb: "v", State: state, Until: now.Add(left), Peer: "http://east"}
	}
	there := map[engine.TargetID][]engine.HeldClaim{web: {
		held("workflow/train", "ns/far", "running", time.Hour), held("model", "ns/far", "running", time.Hour),
		held("traffic", "ns/far", "cooling", time.Minute), held("replicas", "ns/far", "running", 0), held("tag", "ns/near", "running", time.Hour),
	}}
	require.Equal(t, web, there[web][0].On())
	v := &View{Shared: NewTable(), DryRun: NewTable(), Remote: &Remote{
		Claims: func() map[engine.TargetID][]engine.HeldClaim { return there }, Local: func(agent string) bool { return agent == "ns/near" },
	}}
	_, refused := v.Take(Key{Target: web, Claim: "traffic", Agent: "ns/near", Verb: "traffic", Identity: "1"}, now)
	require.Nil(t, refused)
	var names []string
	for _, c := range v.On(web, now) {
		names = append(names, c.Name+" of "+c.Agent)
	}
	require.Equal(t, []string{"model of ns/far", "traffic of ns/near", "workflow/train of ns/far"}, names)
	require.Empty(t, v.On(engine.TargetID{Kind: "StatefulSet", Namespace: "ns", Name: "web"}, now))

	for name, why := range map[string]string{
		"model": "model is held by v of ns/far (running), at http://east", "pods": "pods has to wait: model is held by v of ns/far (running), at http://east",
		"traffic": "traffic is held by v of ns/far (cooling until 1970-01-01T00:17:40Z), at http://east; ns/near may write it then, or before if its spec.priority (0) is above that of ns/far (0)", "replicas": "", "tag": "", "": "",
	} {
		k := Key{Target: web, Claim: name, Agent: "ns/near"}
		h := v.Remote.free(k, now)
		require.Equal(t, why != "", h != nil, name)
		if h != nil {
			require.Equal(t, why, h.Explain(k))
		}
	}
}

// A claim's cooldown keeps its length when the clock is set back.
func TestAClaimDoesNotCoolForAYear(t *testing.T) {
	c, ahead := NewTable(), epoch.AddDate(1, 0, 0)
	k := Key{Target: engine.TargetID{Name: "web"}, Claim: "replicas", Agent: "ns/a", Identity: "act"}
	_, held := c.Take(k, ahead)
	require.Nil(t, held)
	c.Release(intentOf(k), End{At: ahead, Cooldown: time.Minute}, ahead)
	other := k
	other.Agent, other.Identity = "ns/b", "b"
	held = c.Free(other, epoch)
	require.NotNil(t, held)
	require.Equal(t, epoch.Add(time.Minute), held.Until)
	require.Nil(t, c.Free(other, epoch.Add(time.Minute)))
}

package engine

import (
	"sort"
	"sync"
	"time"
)

// claims is who is writing what, for all agents of a process.
type claims struct {
	mu    sync.Mutex
	by    map[TargetID]map[string]*hold
	taken int
}

// sweepEvery is after how many takes those that have cooled down are dropped: nobody
// asks again for the claims of a target that is gone.
const sweepEvery = 1000

type hold struct {
	Claim
	identity string
	until    time.Time // when a cooling claim ends; zero while the act runs
}

func newClaims() *claims { return &claims{by: map[TargetID]map[string]*hold{}} }

// take gives a claim to an act, unless somebody else holds it: then it returns
// the holder. A claim that is only cooling stays open to the agent that cools it,
// whose own guards judge the cooldown; what it replaces is returned as prior.
func (c *claims) take(target TargetID, name string, want Claim, identity string, now time.Time) (holder Claim, until time.Time, prior *hold, ok bool) {
	if name == "" {
		return Claim{}, time.Time{}, nil, true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.live(target, name, now)
	if h != nil && !h.opens(want.Agent) {
		return h.Claim, h.until, nil, false
	}
	if c.taken++; c.taken%sweepEvery == 0 {
		c.sweep(now)
	}
	if c.by[target] == nil {
		c.by[target] = map[string]*hold{}
	}
	want.Name, want.State = name, "running"
	c.by[target][name] = &hold{Claim: want, identity: identity}
	return want, time.Time{}, h, true
}

// opens tells whether an agent may take the claim over.
func (h *hold) opens(agent string) bool { return h.State == "cooling" && h.Agent == agent }

// free tells whether an agent could take a claim, and if not, who holds it.
func (c *claims) free(target TargetID, name, agent string, now time.Time) (Claim, time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h := c.live(target, name, now); name != "" && h != nil && !h.opens(agent) {
		return h.Claim, h.until, false
	}
	return Claim{}, time.Time{}, true
}

// restore undoes a take.
func (c *claims) restore(target TargetID, name, identity string, prior *hold) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h := c.by[target][name]; h == nil || h.identity != identity {
		return
	}
	c.drop(target, name)
	if prior != nil {
		if c.by[target] == nil {
			c.by[target] = map[string]*hold{}
		}
		c.by[target][name] = prior
	}
}

func (c *claims) sweep(now time.Time) {
	for target, names := range c.by {
		for name := range names {
			c.live(target, name, now)
		}
	}
}

func (c *claims) drop(target TargetID, name string) {
	delete(c.by[target], name)
	if len(c.by[target]) == 0 {
		delete(c.by, target)
	}
}

// release ends an act's claim: at once, or once its cooldown has passed.
func (c *claims) release(target TargetID, name, identity string, until, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.by[target][name]
	if h == nil || h.identity != identity {
		return
	}
	if !until.After(now) {
		c.drop(target, name)
		return
	}
	h.State, h.until = "cooling", until
}

func (c *claims) live(target TargetID, name string, now time.Time) *hold {
	h := c.by[target][name]
	if h == nil {
		return nil
	}
	if h.State == "cooling" && !h.until.After(now) {
		c.drop(target, name)
		return nil
	}
	return h
}

// of lists the claims on a target, by name.
func (c *claims) of(target TargetID, now time.Time) []Claim {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.by[target]) == 0 {
		return nil
	}
	var out []Claim
	for name := range c.by[target] {
		if h := c.live(target, name, now); h != nil {
			out = append(out, h.Claim)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

package engine

import (
	"cmp"
	"slices"
	"sort"
	"strings"
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
	since    time.Time
	until    time.Time // when a cooling claim ends; zero while the act runs
	cools    time.Duration
	left     bool // its agent was stopped, and goes on with the act once it runs again
}

// rollouts are the claims whose acts replace a target's pods. One such act at a time:
// a second would begin while the first is half done, and neither could tell whose
// pods fail.
var rollouts = []string{"model", "placement", "pods"}

// rival is the claim under way that keeps another from being taken, though it is not
// the same one.
func (c *claims) rival(target TargetID, name string, now time.Time) *hold {
	if !slices.Contains(rollouts, name) {
		return nil
	}
	for _, other := range rollouts {
		if h := c.live(target, other, now); other != name && h != nil && h.State == "running" {
			return h
		}
	}
	return nil
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
	if h != nil && h.identity != identity && !h.opens(want.Agent) {
		return h.Claim, h.until, nil, false
	}
	if rival := c.rival(target, name, now); rival != nil {
		return rival.Claim, rival.until, nil, false
	}
	if c.taken++; c.taken%sweepEvery == 0 {
		c.sweep(now)
	}
	if c.by[target] == nil {
		c.by[target] = map[string]*hold{}
	}
	want.Name, want.State = name, "running"
	c.by[target][name] = &hold{Claim: want, identity: identity, since: now}
	return want, time.Time{}, h, true
}

// began notes when an act that was found open has begun.
func (c *claims) began(target TargetID, name, identity string, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h := c.by[target][name]; h != nil && h.identity == identity {
		h.since = at
	}
}

// leave notes that the agent of an act was stopped before its end.
func (c *claims) leave(target TargetID, name, identity string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h := c.by[target][name]; h != nil && h.identity == identity {
		h.left = true
	}
}

// forsake gives up what was left by agents that are not run any more.
func (c *claims) forsake(runs map[string]Spec) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for target, names := range c.by {
		for name, h := range names {
			if _, still := runs[h.Agent]; h.left && !still {
				c.drop(target, name)
			}
		}
	}
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
	if h := c.rival(target, name, now); h != nil {
		return h.Claim, h.until, false
	}
	return Claim{}, time.Time{}, true
}

// HeldClaim is a claim that is held, for a person.
type HeldClaim struct {
	Kind     string `json:"kind,omitempty"` // of the target
	Target   string `json:"target"`         // its namespace/name
	Claim    string `json:"claim"`
	Agent    string `json:"agent"`
	Strategy string `json:"strategy"`
	Verb     string `json:"verb"`
	// State is running or cooling.
	State    string    `json:"state"`
	Since    time.Time `json:"since"`
	Identity string    `json:"identity"`
	// Until is when it ends at the latest: the act's deadline, or the cooldown's end.
	Until time.Time `json:"until"`
	// Peer is the process that holds it, by its URL; "" is this one.
	Peer string `json:"peer,omitempty"`
}

// On is the target.
func (c *HeldClaim) On() TargetID {
	namespace, name, _ := strings.Cut(c.Target, "/")
	return TargetID{c.Kind, namespace, name}
}

// Claims lists what agents of this process hold on every target, in order.
func (h *Host) Claims() []HeldClaim {
	now := h.Clock.Now()
	out := []HeldClaim{}
	h.claims.mu.Lock()
	defer h.claims.mu.Unlock()
	for target, names := range h.claims.by {
		for name := range names {
			held := h.claims.live(target, name, now)
			if held == nil {
				continue
			}
			until := held.until
			if until.IsZero() {
				until = held.since.Add(cmp.Or(h.Verbs[held.Verb].Deadline, DefaultActDeadline))
			}
			out = append(out, HeldClaim{target.Kind, target.String(), name, held.Agent, held.Strategy, held.Verb, held.State, held.since, held.identity, until, ""})
		}
	}
	slices.SortFunc(out, func(x, y HeldClaim) int {
		return cmp.Or(cmp.Compare(x.Target, y.Target), cmp.Compare(x.Claim, y.Claim))
	})
	return out
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
	h.State, h.until, h.cools = "cooling", until, until.Sub(now)
}

func (c *claims) live(target TargetID, name string, now time.Time) *hold {
	h := c.by[target][name]
	if h == nil {
		return nil
	}
	if latest := now.Add(h.cools); h.State == "cooling" && h.until.After(latest) { // the clock was set back
		h.until = latest
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

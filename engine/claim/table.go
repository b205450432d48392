package claim

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Table records the claims that the agents of one process hold. It is safe for concurrent
// use.
type Table struct {
	mu    sync.Mutex
	by    map[engine.TargetID]map[string]*Hold
	taken int
}

// NewTable returns an empty table.
func NewTable() *Table { return &Table{by: map[engine.TargetID]map[string]*Hold{}} }

// rollouts are the claims whose acts replace a target's pods. Only one such act runs at a
// time: with two, neither could attribute a failing pod.
var rollouts = []string{"model", "placement", "pods"}

// rival returns the running claim of another name that excludes a claim.
func (t *Table) rival(target engine.TargetID, name string, now time.Time) *Hold {
	if !slices.Contains(rollouts, name) {
		return nil
	}
	for _, other := range rollouts {
		if h := t.live(target, other, now); other != name && h != nil && h.end == nil {
			return h
		}
	}
	return nil
}

// sweepEvery is the number of takes after which the claims that have cooled down are
// dropped: a target that is gone is never looked up again.
const sweepEvery = 1000

// Take gives a claim to an act, or returns its holder. prior is the hold that it replaces,
// for Restore.
func (t *Table) Take(k Key, now time.Time) (prior *Hold, holder *Holder) {
	if k.Claim == "" {
		return nil, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	h := t.live(k.Target, k.Claim, now)
	if h != nil && h.identity != k.Identity && h.blocks(now) && !h.availableTo(k) {
		return nil, h.holder()
	}
	if rival := t.rival(k.Target, k.Claim, now); rival != nil {
		return nil, rival.holder()
	}
	if t.taken++; t.taken%sweepEvery == 0 {
		t.sweep(now)
	}
	t.put(k.Target, k.Claim, &Hold{
		Claim:    engine.Claim{Name: k.Claim, Agent: k.Agent, Strategy: k.Strategy, Verb: k.Verb, State: running},
		identity: k.Identity, priority: k.Priority, since: now, before: h.lastWrite(),
	})
	return h, nil
}

// Free returns the holder that keeps an act from taking its claim, nil where it is free.
func (t *Table) Free(k Key, now time.Time) *Holder {
	t.mu.Lock()
	defer t.mu.Unlock()
	if h := t.live(k.Target, k.Claim, now); k.Claim != "" && h != nil && h.blocks(now) && !h.availableTo(k) {
		return h.holder()
	}
	if h := t.rival(k.Target, k.Claim, now); h != nil {
		return h.holder()
	}
	return nil
}

// Restore undoes a Take.
func (t *Table) Restore(k Key, prior *Hold) {
	t.edit(k, func(*Hold) {
		t.drop(k.Target, k.Claim)
		if prior != nil {
			t.put(k.Target, k.Claim, prior)
		}
	})
}

// Began sets when the act of a claim began that an earlier process admitted.
func (t *Table) Began(k Key, at time.Time) { t.edit(k, func(h *Hold) { h.since = at }) }

// Orphan records that the agent of an act was stopped before the act's end.
func (t *Table) Orphan(k Key) { t.edit(k, func(h *Hold) { h.orphaned = true }) }

// edit calls change with the hold of an act, if the act still holds its claim.
func (t *Table) edit(k Key, change func(*Hold)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if h := t.by[k.Target][k.Claim]; h != nil && h.identity == k.Identity {
		change(h)
	}
}

// DropOrphans drops the orphaned claims of agents that are not run any more, and ends what
// these hold against others.
func (t *Table) DropOrphans(runs func(agent string) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for target, names := range t.by {
		for name, h := range names {
			if left := h.leftOf(runs); left == nil {
				t.drop(target, name)
			} else {
				names[name] = left
			}
		}
	}
}

// On returns the claims on a target that run or cool down, by name. What an agent only holds
// against others is not in flight.
func (t *Table) On(target engine.TargetID, now time.Time) []engine.Claim {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []engine.Claim
	for name := range t.by[target] {
		if h := t.live(target, name, now); h != nil && h.stateAt(now) != held {
			out = append(out, h.Claim)
		}
	}
	slices.SortFunc(out, func(x, y engine.Claim) int { return cmp.Compare(x.Name, y.Name) })
	return out
}

// List returns the claims on every target, in order. deadline returns the time that an act
// of a verb may take.
func (t *Table) List(now time.Time, deadline func(verb string) time.Duration) []engine.HeldClaim {
	out := []engine.HeldClaim{}
	t.mu.Lock()
	defer t.mu.Unlock()
	for target, names := range t.by {
		for name := range names {
			h := t.live(target, name, now)
			if h == nil || !h.blocks(now) {
				continue
			}
			c := engine.HeldClaim{
				Kind: target.Kind, Target: target.String(), Claim: name, Agent: h.Agent, Strategy: h.Strategy, Verb: h.Verb,
				State: h.stateAt(now), Since: h.since, Identity: h.identity, Until: h.since.Add(deadline(h.Verb)), Priority: h.priority,
			}
			if h.end != nil {
				c.Until, c.Wrote, c.Change, c.Direction = h.free(), h.end.At, h.change, h.direction
			}
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(x, y engine.HeldClaim) int {
		return cmp.Or(cmp.Compare(x.Target, y.Target), cmp.Compare(x.Claim, y.Claim))
	})
	return out
}

func (t *Table) sweep(now time.Time) {
	for target, names := range t.by {
		for name := range names {
			t.live(target, name, now)
		}
	}
}

func (t *Table) put(target engine.TargetID, name string, h *Hold) {
	if t.by[target] == nil {
		t.by[target] = map[string]*Hold{}
	}
	t.by[target][name] = h
}

func (t *Table) drop(target engine.TargetID, name string) {
	delete(t.by[target], name)
	if len(t.by[target]) == 0 {
		delete(t.by, target)
	}
}

// live returns the hold of a claim, running or ended, and drops one that has no effect any
// more. Where the clock was set back, what ended in the future ended now.
func (t *Table) live(target engine.TargetID, name string, now time.Time) *Hold {
	h := t.by[target][name]
	if h == nil || h.end == nil {
		return h
	}
	if h.end.At.After(now) {
		h.end.At = now
	}
	if h.forgotten().After(now) {
		return h
	}
	if h.before == nil {
		t.drop(target, name)
		return nil
	}
	t.put(target, name, h.before)
	return t.live(target, name, now)
}

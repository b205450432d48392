package claim

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// The states of a claim.
const (
	running = "running" // its act is in progress
	cooling = "cooling" // its act has ended, and the verb's cooldown has not
)

// Key identifies an act to the tables: the claim that it takes, and for whom.
type Key struct {
	Target                          engine.TargetID
	Claim                           string // "" takes none
	Agent, Strategy, Verb, Identity string
}

// Of returns the key of an intent.
func Of(in *engine.Intent) Key {
	return Key{in.Target.ID(), in.Claim, in.Agent, in.Strategy, in.Primitive, in.Identity}
}

// Table records the claims that the agents of one process hold. It is safe for concurrent
// use.
type Table struct {
	mu    sync.Mutex
	by    map[engine.TargetID]map[string]*Hold
	taken int
}

// NewTable returns an empty table.
func NewTable() *Table { return &Table{by: map[engine.TargetID]map[string]*Hold{}} }

// Hold is one held claim.
type Hold struct {
	engine.Claim
	identity string
	since    time.Time
	until    time.Time // when a cooling claim ends; zero while the act runs
	cools    time.Duration
	orphaned bool // its agent was stopped before the act's end
}

// availableTo reports whether an agent may take the claim over: a cooling claim stays
// available to its agent, whose own guards decide on the cooldown.
func (h *Hold) availableTo(agent string) bool { return h.State == cooling && h.Agent == agent }

// Holder is a hold that blocks an act from taking its claim.
type Holder struct {
	engine.Claim
	Until time.Time // when it has cooled down; zero while its act runs
	Peer  string    // the process of the holder; "" is this one
}

func (h *Hold) holder() *Holder { return &Holder{Claim: h.Claim, Until: h.until} }

// Explain says why the claim of a name can't be taken.
func (h *Holder) Explain(name string) string {
	state := h.State
	if !h.Until.IsZero() {
		state += " until " + h.Until.UTC().Format(time.RFC3339)
	}
	text := fmt.Sprintf("%s is held by %s of %s (%s)", name, h.Verb, h.Agent, state)
	if h.Name != name {
		text = fmt.Sprintf("%s has to wait: %s is held by %s of %s (%s)", name, h.Name, h.Verb, h.Agent, state)
	}
	if h.Peer != "" {
		text += ", at " + h.Peer
	}
	return text
}

// rollouts are the claims whose acts replace a target's pods. Only one such act runs at a
// time: with two, neither could attribute a failing pod.
var rollouts = []string{"model", "placement", "pods"}

// rival returns the running claim of another name that excludes a claim.
func (t *Table) rival(target engine.TargetID, name string, now time.Time) *Hold {
	if !slices.Contains(rollouts, name) {
		return nil
	}
	for _, other := range rollouts {
		if h := t.live(target, other, now); other != name && h != nil && h.State == running {
			return h
		}
	}
	return nil
}

// sweepEvery is the number of takes after which the claims that have cooled down are
// dropped: a target that is gone is never looked up again.
const sweepEvery = 1000

// Take gives a claim to an act, or returns its holder. prior is the cooling hold that it
// replaces, for Restore.
func (t *Table) Take(k Key, now time.Time) (prior *Hold, held *Holder) {
	if k.Claim == "" {
		return nil, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	h := t.live(k.Target, k.Claim, now)
	if h != nil && h.identity != k.Identity && !h.availableTo(k.Agent) {
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
		identity: k.Identity, since: now,
	})
	return h, nil
}

// Free returns the holder that keeps an act from taking its claim, nil where it is free.
func (t *Table) Free(k Key, now time.Time) *Holder {
	t.mu.Lock()
	defer t.mu.Unlock()
	if h := t.live(k.Target, k.Claim, now); k.Claim != "" && h != nil && !h.availableTo(k.Agent) {
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

// Release ends the claim of an act: at once, or at until, when its cooldown has passed.
func (t *Table) Release(k Key, until, now time.Time) {
	t.edit(k, func(h *Hold) {
		if !until.After(now) {
			t.drop(k.Target, k.Claim)
			return
		}
		h.State, h.until, h.cools = cooling, until, until.Sub(now)
	})
}

// edit calls change with the hold of an act, if the act still holds its claim.
func (t *Table) edit(k Key, change func(*Hold)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if h := t.by[k.Target][k.Claim]; h != nil && h.identity == k.Identity {
		change(h)
	}
}

// DropOrphans drops the orphaned claims of agents that are not run any more.
func (t *Table) DropOrphans(runs func(agent string) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for target, names := range t.by {
		for name, h := range names {
			if h.orphaned && !runs(h.Agent) {
				t.drop(target, name)
			}
		}
	}
}

// On returns the claims on a target, by name.
func (t *Table) On(target engine.TargetID, now time.Time) []engine.Claim {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []engine.Claim
	for name := range t.by[target] {
		if h := t.live(target, name, now); h != nil {
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
			if h == nil {
				continue
			}
			until := h.until
			if until.IsZero() {
				until = h.since.Add(deadline(h.Verb))
			}
			out = append(out, engine.HeldClaim{
				Kind: target.Kind, Target: target.String(), Claim: name, Agent: h.Agent, Strategy: h.Strategy, Verb: h.Verb,
				State: h.State, Since: h.since, Identity: h.identity, Until: until,
			})
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

// live returns the hold of a claim, and drops one that has cooled down.
func (t *Table) live(target engine.TargetID, name string, now time.Time) *Hold {
	h := t.by[target][name]
	if h == nil {
		return nil
	}
	if latest := now.Add(h.cools); h.State == cooling && h.until.After(latest) { // the clock was set back
		h.until = latest
	}
	if h.State == cooling && !h.until.After(now) {
		t.drop(target, name)
		return nil
	}
	return h
}

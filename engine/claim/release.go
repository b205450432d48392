package claim

import (
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Release ends the claim of an act, whose intent says what it changed.
func (t *Table) Release(in *engine.Intent, end End, now time.Time) {
	k := Of(in)
	t.edit(k, func(h *Hold) {
		t.put(k.Target, k.Claim, h.ended(in, end))
		t.live(k.Target, k.Claim, now)
	})
}

// ended returns the hold after the end of its act. An act that wrote nothing leaves the last
// write as it was, unless its cooldown is the longer.
func (h *Hold) ended(in *engine.Intent, end End) *Hold {
	after := *h
	if end.Applied {
		after.before = nil
	} else {
		end.Hold = 0
	}
	after.State, after.end, after.change, after.direction = cooling, &end, changeOf(in), in.Direction
	return after.orBefore()
}

// orBefore returns the last write before an act that ended, where it is held as long or longer.
func (h *Hold) orBefore() *Hold {
	if h.end != nil && h.before != nil && !h.free().After(h.before.free()) {
		return h.before
	}
	return h
}

// Recall records an act of an earlier process that ended. The last write of a field counts,
// whichever agent is loaded first.
func (t *Table) Recall(in *engine.Intent, priority int, end End, now time.Time) {
	if in.Claim == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	target, h := in.Target.ID(), t.live(in.Target.ID(), in.Claim, now)
	recalled := &Hold{
		Claim:    engine.Claim{Name: in.Claim, Agent: in.Agent, Strategy: in.Strategy, Verb: in.Primitive, State: running},
		identity: in.Identity, priority: priority, since: in.At,
	}
	switch {
	case h == nil:
	case h.identity == in.Identity:
		recalled.before = h.before
	case h.end == nil || h.end.At.After(end.At):
		if earlier := recalled.ended(in, end); earlier.forgotten().After(now) {
			t.put(target, in.Claim, h.following(earlier))
		}
		return
	default:
		recalled.before = h.lastWrite()
	}
	t.put(target, in.Claim, recalled.ended(in, end))
	t.live(target, in.Claim, now)
}

// following returns the hold of an act with an earlier act behind it, if that is the last write
// known before it.
func (h *Hold) following(earlier *Hold) *Hold {
	if h.wrote() || !earlier.wrote() || h.before != nil && h.before.end.At.After(earlier.end.At) {
		return h
	}
	after := *h
	after.before = earlier
	return after.orBefore()
}

// Reversal returns the write of another agent that an act of a direction would take back, nil
// where there is none.
func (t *Table) Reversal(k Key, d engine.Direction, now time.Time) *engine.Reversal {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.live(k.Target, k.Claim, now).lastWrite().reversal(k, d)
}

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
	if !end.Applied {
		end.Hold = 0
	}
	after := *h
	after.State, after.end, after.change, after.direction = cooling, &end, changeOf(in), in.Direction
	switch {
	case end.Applied:
		after.before = nil
	case h.before != nil && !after.free().After(h.before.free()):
		return h.before
	}
	return &after
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
	if h != nil && h.identity != in.Identity && (h.end == nil || h.end.At.After(end.At)) {
		return
	}
	recalled := &Hold{
		Claim:    engine.Claim{Name: in.Claim, Agent: in.Agent, Strategy: in.Strategy, Verb: in.Primitive, State: running},
		identity: in.Identity, priority: priority, since: in.At,
	}
	if h != nil && h.identity != in.Identity {
		recalled.before = h.lastWrite()
	}
	t.put(target, in.Claim, recalled.ended(in, end))
	t.live(target, in.Claim, now)
}

// Reversal returns the write of another agent that an act of a direction would take back, nil
// where there is none.
func (t *Table) Reversal(k Key, d engine.Direction, now time.Time) *engine.Reversal {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.live(k.Target, k.Claim, now).lastWrite().reversal(k, d)
}

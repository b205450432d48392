package claim

import (
	"cmp"
	"fmt"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
)

// The states of a claim.
const (
	running = "running" // its act is in progress
	cooling = "cooling" // its act has ended, and the verb's cooldown has not
	held    = "held"    // both have ended, and the agent holds what it wrote against others
)

// Key identifies an act to the tables: the claim that it takes, and for whom.
type Key struct {
	Target                          engine.TargetID
	Claim                           string // "" takes none
	Agent, Strategy, Verb, Identity string
	// Priority is that of the agent. A View sets it.
	Priority int
}

// Of returns the key of an intent.
func Of(in *engine.Intent) Key {
	return Key{Target: in.Target.ID(), Claim: in.Claim, Agent: in.Agent, Strategy: in.Strategy, Verb: in.Primitive, Identity: in.Identity}
}

// End is how the act of a claim ended.
type End struct {
	At time.Time
	// Applied reports whether the act wrote the field. Otherwise it starts no hold, and what
	// was written before counts again.
	Applied bool
	// Cooldown and Hold are how long, from At on, the claim cools down and is held against
	// other agents. The longer counts.
	Cooldown, Hold time.Duration
}

// Hold is one claim: it is held while its act runs and for some time after. Until another act
// takes the claim, it is also the record of the last write.
type Hold struct {
	engine.Claim
	identity string
	priority int
	since    time.Time
	end      *End // nil while the act runs
	orphaned bool // its agent was stopped before the act's end
	// change and direction are of an act that ended.
	change    string
	direction engine.Direction
	// before is the last write of the field before this act, nil once this act wrote it.
	before *Hold
}

// free returns when other agents may take the claim of an act that ended.
func (h *Hold) free() time.Time { return h.end.At.Add(max(h.end.Cooldown, h.end.Hold)) }

// forgotten returns when the record of an act that ended has no effect any more.
func (h *Hold) forgotten() time.Time {
	if h.wrote() && h.direction != "" {
		return h.end.At.Add(max(h.end.Cooldown, h.end.Hold, engine.ReversalWindow))
	}
	return h.free()
}

func (h *Hold) wrote() bool { return h.end != nil && h.end.Applied }

// lastWrite returns the last act that wrote the field, nil where none is known.
func (h *Hold) lastWrite() *Hold {
	if h == nil || h.wrote() {
		return h
	}
	return h.before
}

// leftOf returns the hold without what DropOrphans drops and ends of it, nil where nothing is
// left.
func (h *Hold) leftOf(runs func(agent string) bool) *Hold {
	if h == nil {
		return nil
	}
	after := *h
	after.before = h.before.leftOf(runs)
	switch {
	case runs(h.Agent):
	case h.orphaned:
		return after.before
	case h.end != nil:
		after.end = &End{h.end.At, h.end.Applied, h.end.Cooldown, 0}
	}
	return &after
}

// blocks reports whether the claim is held at a time.
func (h *Hold) blocks(now time.Time) bool { return h.end == nil || h.free().After(now) }

// availableTo reports whether an act may take the claim over. One that is not running stays
// available to its own agent, whose own guards decide on the cooldown, and to agents of a
// higher priority.
func (h *Hold) availableTo(k Key) bool {
	return h.end != nil && (h.Agent == k.Agent || k.Priority > h.priority)
}

// stateAt returns the state of a claim that is held.
func (h *Hold) stateAt(now time.Time) string {
	switch {
	case h.end == nil:
		return running
	case h.end.At.Add(h.end.Cooldown).After(now):
		return cooling
	}
	return held
}

// reversal returns the act that one of a direction by another agent would take back, nil
// where this is none.
func (h *Hold) reversal(k Key, d engine.Direction) *engine.Reversal {
	if h == nil || h.Agent == k.Agent || d == "" || h.direction == "" || h.direction == d {
		return nil
	}
	return &engine.Reversal{Agent: h.Agent, Diff: h.change, At: h.end.At}
}

// Holder is a hold that blocks an act from taking its claim.
type Holder struct {
	engine.Claim
	Until    time.Time // when the claim is free; zero while its act runs
	Wrote    time.Time // when the act ended; zero while it runs
	Change   string    // what it changed, "" where that is not known
	Priority int
	Peer     string // the process of the holder; "" is this one
	byHold   bool   // Until is the end of the hold, not of the cooldown
}

func (h *Hold) holder() *Holder {
	out := &Holder{Claim: h.Claim, Priority: h.priority, Change: h.change}
	if h.end != nil {
		out.Wrote, out.Until, out.byHold = h.end.At, h.free(), h.end.Hold > h.end.Cooldown
	}
	return out
}

// Explain says why an act can't take its claim, and what to change if it should.
func (h *Holder) Explain(k Key) string {
	state := h.State
	if h.byHold {
		state = held
	}
	if !h.Until.IsZero() {
		state += " until " + h.Until.UTC().Format(time.RFC3339)
	}
	text := fmt.Sprintf("%s is held by %s of %s (%s)", k.Claim, h.Verb, h.Agent, state)
	if h.Name != k.Claim {
		text = fmt.Sprintf("%s has to wait: %s is held by %s of %s (%s)", k.Claim, h.Name, h.Verb, h.Agent, state)
	}
	if h.Peer != "" {
		text += ", at " + h.Peer
	}
	if h.Until.IsZero() {
		return text
	}
	if !h.Wrote.IsZero() {
		text += fmt.Sprintf("; at %s it wrote %s", h.Wrote.UTC().Format(time.RFC3339), cmp.Or(h.Change, k.Claim))
	}
	text += fmt.Sprintf("; %s may write it then, or before if its spec.priority (%d) is above that of %s (%d)", k.Agent, k.Priority, h.Agent, h.Priority)
	if h.byHold {
		text += fmt.Sprintf("; spec.guards.hold of %s is how long it is held", h.Agent)
	}
	return text
}

// changeOf describes what an act changed: the plan's diff, or, where that is not kept, the verb
// and the replicas. Other parameters may be long, or not for everybody.
func changeOf(in *engine.Intent) string {
	if in.Diff != "" {
		return engine.Clip(in.Diff)
	}
	if replicas, has := jsonvalue.Float(in.With["replicas"]); has {
		return in.Primitive + " " + jsonvalue.Canonical(map[string]any{"replicas": replicas})
	}
	return in.Primitive
}

package engine

import (
	"slices"
	"time"
)

// Mode controls which decisions an agent carries out.
type Mode string

const (
	Enforce Mode = "enforce"
	// DryRun decides, plans and records, and never applies.
	DryRun Mode = "dry-run"
	// Paused samples and decides, and admits nothing; events wait in the inbox.
	Paused Mode = "paused"
)

// AgentInfo identifies the agent in a document. The mode is not in it: a dry run decides
// as a real one does.
type AgentInfo struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Role      string `json:"role"`
	Layer     string `json:"layer"`
}

// String is "namespace/name".
func (a AgentInfo) String() string { return a.Namespace + "/" + a.Name }

// Spec is an agent, ready to run. It comes from a manifest.
type Spec struct {
	AgentInfo
	Mode       Mode
	Fleet      Fleet
	Triggers   []Trigger
	Sensors    []SensorSpec
	Strategies []string
	// Primitives are the verbs that the agent may use; any other is refused.
	Primitives []string
	Params     map[string]any
	Guards     Guards
	// Priority decides between agents that write one field: the higher may write over the
	// hold of the other.
	Priority int
	// RetryFor bounds the attempts at a webhook; 0 means a day where an event or an approval
	// caused it, and otherwise the interval of the trigger, at least a minute.
	RetryFor time.Duration
	// Generation is a hash of the manifest: an agent whose generation did not change
	// is left running by a reload.
	Generation string
}

// Trigger says when the loop runs. Exactly one of Every, Cron, At, Event, Alert and
// Watch is set.
type Trigger struct {
	Name string
	// Every fires with this interval, each time late by a random part of Jitter, the
	// first time at once.
	Every  time.Duration
	Jitter time.Duration
	Cron   Schedule
	At     time.Time
	// Event selects the events that fire it, Alert the alerts.
	Event *EventFilter
	Alert *EventFilter
	// Wait bounds the deferral of an event or alert for which a guard refused a proposal; with
	// 0 it becomes a dead letter at once.
	Wait time.Duration
	// Watch selects the objects whose changes fire it.
	Watch *WatchSpec
}

// Schedule is a cron expression in its time zone.
type Schedule interface {
	// Next returns the first time strictly after t, the zero time if there is none.
	Next(t time.Time) time.Time
}

// Guards are the bounds that no policy can relax. The zero value bounds nothing.
type Guards struct {
	Replicas *ReplicaGuard
	// Cooldown is by direction ("up", "down") for verbs that have one, by verb for
	// the rest. Down is counted from the last act in either direction, up from the
	// last act upward.
	Cooldown map[string]time.Duration
	// Hold is how long a field that the agent wrote stays held against other agents, at
	// least for the cooldown of the act; 0 is no longer than that.
	Hold   time.Duration
	Budget *BudgetGuard
	Fleet  *FleetGuard
	// Approval lists the verbs that wait for a person, ApprovalExpiry how long they do;
	// 0 is DefaultApprovalExpiry.
	Approval       []string
	ApprovalExpiry time.Duration
	// ApprovalNotify is the address that gets the notice of a new approval, as a
	// CloudEvent; "" for none.
	ApprovalNotify string
	// URLs are prefixes of the addresses where webhook and event.send may go. Nil
	// is loopback and in-cluster addresses only.
	URLs []string
}

// ReplicaGuard clamps the replicas that `scale` requests. A zero Max, StepUp or StepDown bounds nothing.
type ReplicaGuard struct {
	Min, Max         int
	StepUp, StepDown int
}

// BudgetGuard bounds the acts on one target.
type BudgetGuard struct {
	Actions int
	Per     time.Duration
	// Primitives are the verbs that are counted and bounded; nil is all.
	Primitives []string
}

// FleetGuard bounds how many different targets are acted upon. One of Targets and
// Percent is set; a percentage of a small fleet allows at least one target.
type FleetGuard struct {
	Targets int
	Percent float64
	Per     time.Duration
	// Primitives are the verbs that are counted and bounded; nil is all.
	Primitives []string
}

// GuardCovers reports whether a guard with a list of verbs covers a verb; nil covers all.
func GuardCovers(verbs []string, verb string) bool {
	return verbs == nil || slices.Contains(verbs, verb)
}

// Horizon returns how far back the guards count: they ignore older acts.
func (g *Guards) Horizon() time.Duration {
	h := time.Duration(0)
	for _, d := range g.Cooldown {
		h = max(h, d)
	}
	if g.Budget != nil {
		h = max(h, g.Budget.Per)
	}
	if g.Fleet != nil {
		h = max(h, g.Fleet.Per)
	}
	return h
}

// CooldownOf returns the cooldown of a verb: that of the direction for a verb that has one,
// otherwise that of the verb; with the key that it has in Cooldown.
func (g *Guards) CooldownOf(verb string, d Direction) (key string, wait time.Duration) {
	if key = verb; d != "" {
		key = string(d)
	}
	return key, g.Cooldown[key]
}

// ExpiryOfApproval returns how long an approval waits.
func (g *Guards) ExpiryOfApproval() time.Duration {
	if g.ApprovalExpiry > 0 {
		return g.ApprovalExpiry
	}
	return DefaultApprovalExpiry
}

// EventTrigger returns the first trigger that the event fires; nil if there is none.
func EventTrigger(triggers []Trigger, e *Event, labels EventLabels) *Trigger {
	for i := range triggers {
		if f := triggers[i].Filter(); f != nil && f.Matches(e, labels) && f.Accepts(e) {
			return &triggers[i]
		}
	}
	return nil
}

// Filter returns the filter of a trigger that events or alerts fire; nil for the others.
func (t *Trigger) Filter() *EventFilter {
	if t.Event != nil {
		return t.Event
	}
	return t.Alert
}

// DefaultApprovalExpiry is how long an approval waits, and a denial counts, where the
// manifest does not say.
const DefaultApprovalExpiry = 24 * time.Hour

package engine

import (
	"slices"
	"time"
)

// Mode says what an agent does with what it admits.
type Mode string

const (
	Enforce Mode = "enforce"
	// DryRun decides, plans and records, and never applies.
	DryRun Mode = "dry-run"
	// Paused senses and decides, and admits nothing; events wait in the inbox.
	Paused Mode = "paused"
)

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
	// RetryFor is how long a webhook is tried; 0 is a day for what an event or a person's
	// answer set going, and the interval of the trigger, a minute at the least, for the rest.
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
	// Event is the events that fire it, Alert the alerts.
	Event *EventFilter
	Alert *EventFilter
	// Wait is how long an event or alert that fires it may wait, where a guard refuses what
	// is proposed for it; 0 is not at all: it becomes a dead letter.
	Wait time.Duration
	// Watch is the objects whose changes fire it.
	Watch *WatchSpec
}

// WatchSpec says which changes of which objects fire a trigger.
type WatchSpec struct {
	Selector Selector
	// Name is one object's; "" takes every one that the selector names.
	Name string
	// Field is a dotted path like status.readyReplicas; "" takes each change of an
	// object's spec or labels.
	Field string
}

// Schedule is a cron expression in its time zone.
type Schedule interface {
	// Next is the first time strictly after t, the zero time if there is none.
	Next(t time.Time) time.Time
}

// Guards are the bounds that no policy can relax. The zero value bounds nothing.
type Guards struct {
	Replicas *ReplicaGuard
	// Cooldown is by direction ("up", "down") for verbs that have one, by verb for
	// the rest. Down is counted from the last act in either direction, up from the
	// last act upward.
	Cooldown map[string]time.Duration
	Budget   *BudgetGuard
	Fleet    *FleetGuard
	// Approval lists the verbs that wait for a person, ApprovalExpiry how long they do;
	// 0 is DefaultApprovalExpiry.
	Approval       []string
	ApprovalExpiry time.Duration
	// ApprovalNotify gets the notice that somebody is asked, as a CloudEvent; "" for
	// nobody.
	ApprovalNotify string
	// URLs are prefixes of the addresses where webhook and event.send may go. Nil
	// is loopback and in-cluster addresses only.
	URLs []string
}

// ReplicaGuard clamps what `scale` asks for. A zero Max, StepUp or StepDown bounds nothing.
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

// among reports whether a guard that is for some verbs is for this one.
func among(verbs []string, verb string) bool { return verbs == nil || slices.Contains(verbs, verb) }

package engine

import (
	"context"
)

// Fleet lists the targets of one agent. Each firing calls it once.
type Fleet interface {
	// Targets returns the targets in any order. An error leaves the agent without targets
	// for this firing; it is recorded, and the next firing tries again.
	Targets(ctx context.Context) ([]Target, error)
}

// StaticFleet is a fleet written down in the manifest.
type StaticFleet []Target

// Targets returns the list as it was written.
func (f StaticFleet) Targets(context.Context) ([]Target, error) { return f, nil }

// Selector selects workloads of an orchestrator as an agent's targets.
type Selector struct {
	APIVersion  string
	Kind        string
	Namespace   string // "" is every namespace
	MatchLabels map[string]string
	// Pods has each target's pods listed (Target.Pods).
	Pods bool
}

// Orchestrator runs the workloads; this is the interface that sensors and fleets use.
type Orchestrator interface {
	// Fleet returns the fleet of a selector. An unknown kind is an error.
	Fleet(Selector) (Fleet, error)
	// Workload returns the state of one workload; false where there is none of that name.
	Workload(TargetID) (Workload, bool)
}

// Watcher is an Orchestrator that reports changes of objects.
type Watcher interface {
	// Watch calls changed for each object that appears, disappears or changes, until ctx
	// ends. Objects that exist at the beginning are not reported. Several changes of one
	// object may be reported as one.
	Watch(ctx context.Context, spec WatchSpec, changed func(ObjectChange)) error
}

// ObjectChange is one change of an object, as a document has it.
type ObjectChange struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace"`
	Name       string `json:"name"`
	// Type is added, changed or deleted.
	Type string `json:"type"`
	// From and To are the watched field's values, nil where it had or has none.
	From any `json:"from,omitempty"`
	To   any `json:"to,omitempty"`
}

// Workload is the orchestrator's view of one workload.
type Workload struct {
	Desired  int
	Ready    int
	Restarts int // of all its pods together, since the orchestrator knows them
	Pods     []Pod
	// Images lists the images of its pods, sorted, each once; nil where the orchestrator
	// runs no images.
	Images []string
	// Conditions are the workload's conditions: True, False or Unknown, by type.
	Conditions map[string]string
}

// Pod is one replica.
type Pod struct {
	Name     string
	Node     string
	Ready    bool
	Restarts int
	// Ports maps a port's name, and its number in decimal, to host:port as it
	// can be dialled from here.
	Ports map[string]string
}

// WatchSpec selects the objects, and which of their changes fire a trigger.
type WatchSpec struct {
	Selector Selector
	// Name is the name of one object; "" means every object of the selector.
	Name string
	// Field is a dotted path like status.readyReplicas; "" means each change of an object's
	// spec or labels.
	Field string
}

package engine

import "context"

// TargetID names one thing that an agent supervises. Kind is empty for a target
// of a plain list, which no orchestrator runs.
type TargetID struct {
	Kind      string `json:"kind,omitempty"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// String returns "namespace/name", the form that the command line takes and prints.
func (id TargetID) String() string { return id.Namespace + "/" + id.Name }

// Target returns a target of which only the identity is known.
func (id TargetID) Target() Target {
	return Target{Kind: id.Kind, Namespace: id.Namespace, Name: id.Name}
}

// Less orders targets by namespace, name, kind: the order in which an agent
// decides, so that the same snapshot always gives the same acts.
func (id TargetID) Less(other TargetID) bool {
	if id.Namespace != other.Namespace {
		return id.Namespace < other.Namespace
	}
	if id.Name != other.Name {
		return id.Name < other.Name
	}
	return id.Kind < other.Kind
}

// Replicas is the size of a workload.
type Replicas struct {
	Desired int `json:"desired"`
	Ready   int `json:"ready"`
}

// Target is a supervised object in its state at one firing.
type Target struct {
	APIVersion string
	Kind       string
	Namespace  string
	Name       string
	Labels     map[string]string
	// Replicas is nil where nothing runs the target (a plain list).
	Replicas *Replicas
	// Placement lists the nodes of its pods, sorted, each once.
	Placement []string
	// Model is the model version in service, "" where it is not known.
	Model string
}

// ID returns the identity of the target.
func (t Target) ID() TargetID {
	return TargetID{Kind: t.Kind, Namespace: t.Namespace, Name: t.Name}
}

// String returns "namespace/name".
func (t Target) String() string { return t.ID().String() }

// Field returns a field or label of the target by the name that a manifest's `match`
// uses: "namespace", "name", "kind", "model" (the version in service), or a label.
func (t *Target) Field(name string) (string, bool) {
	switch name {
	case "namespace":
		return t.Namespace, true
	case "name":
		return t.Name, true
	case "kind":
		return t.Kind, true
	case "model":
		return t.Model, t.Model != ""
	}
	v, ok := t.Labels[name]
	return v, ok
}

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

package engine

import "context"

// TargetID names one thing that an agent supervises. Kind is empty for a target
// of a plain list, which no orchestrator runs.
type TargetID struct {
	Kind      string `json:"kind,omitempty"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// String is "namespace/name", the form that the command line takes and prints.
func (id TargetID) String() string { return id.Namespace + "/" + id.Name }

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

// Replicas is what an orchestrator says of a workload's size.
type Replicas struct {
	Desired int `json:"desired"`
	Ready   int `json:"ready"`
}

// Target is what an agent supervises, as it is at one firing.
type Target struct {
	APIVersion string
	Kind       string
	Namespace  string
	Name       string
	Labels     map[string]string
	// Replicas is nil where nothing runs the target (a plain list).
	Replicas *Replicas
	// Placement is the nodes on which its pods run, sorted, each once.
	Placement []string
	// Model is the model version in service, "" where it is not known.
	Model string
}

// ID is the target's name.
func (t *Target) ID() TargetID {
	return TargetID{Kind: t.Kind, Namespace: t.Namespace, Name: t.Name}
}

// Field is a field or label of the target by the name that a manifest's `match`
// uses: "namespace", "name", "kind", "model" (the version in service), or else a
// label.
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

// Fleet finds the targets of one agent. It is asked once a firing.
type Fleet interface {
	// Targets returns the targets in any order. An error leaves the agent
	// without targets for this firing; it is recorded and asked again.
	Targets(ctx context.Context) ([]Target, error)
}

// StaticFleet is a fleet written down in the manifest.
type StaticFleet []Target

// Targets returns the list as it was written.
func (f StaticFleet) Targets(context.Context) ([]Target, error) { return f, nil }

// Selector says which workloads of an orchestrator are an agent's targets.
type Selector struct {
	APIVersion  string
	Kind        string
	Namespace   string // "" is every namespace
	MatchLabels map[string]string
}

// Orchestrator is what runs the workloads, as sensors and fleets see it.
type Orchestrator interface {
	// Fleet finds the workloads that a selector names. An unknown kind is an error.
	Fleet(Selector) (Fleet, error)
	// Workload is the state of one workload; false where there is none of that name.
	Workload(TargetID) (Workload, bool)
}

// Watcher is an Orchestrator that can tell of changes of objects.
type Watcher interface {
	// Watch calls changed for each object that appears, disappears or changes, until
	// ctx ends. Objects that are there at the beginning are not told of. Several
	// changes of one object may be told as one.
	Watch(ctx context.Context, spec WatchSpec, changed func(ObjectChange)) error
}

// ObjectChange is one change of an object, as a document tells of it.
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
	// Images are those that its pods run, sorted, each once; nil where the
	// orchestrator runs no images.
	Images []string
	// Conditions are what the workload says of itself: True, False or Unknown, by
	// the condition's type.
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

package engine

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
	// Pods are its pods, sorted by name; nil where they are not known, or the agent does not ask
	// for them. Pods that are being deleted or have ended are left out.
	Pods []TargetPod
	// PodsOmitted counts the pods beyond MaxTargetPods.
	PodsOmitted int
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

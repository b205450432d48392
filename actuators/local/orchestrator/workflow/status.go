package workflow

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"
)

// Run is the state of a run.
type Run struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	UID       string `json:"uid"`
	Identity  string `json:"identity"`
	// Kind and Template identify the object that is run. Parameters are the workflow's, with
	// their values.
	Kind       string            `json:"-"`
	Template   string            `json:"template"`
	Parameters map[string]string `json:"parameters,omitempty"`
	Phase      Phase             `json:"phase"`
	Message    string            `json:"message,omitempty"` // for a person; "" if it succeeded
	// Stop is why it is being stopped, or was stopped; "" if it isn't.
	Stop       string    `json:"stop,omitempty"`
	StartedAt  time.Time `json:"startedAt"`
	FinishedAt time.Time `json:"finishedAt,omitzero"`
	// Done is the number of processes that have ended, of All.
	Done int `json:"done"`
	All  int `json:"all"`
	// Outputs are the output parameters of the entrypoint.
	Outputs map[string]string `json:"outputs,omitempty"`
	// Steps are all nodes in the order of the template, each after its parent.
	Steps []Step `json:"steps"`
	// Folder has the logs and files of the steps.
	Folder string `json:"folder"`
}

// Progress formats Done and All, as "2/5".
func (r *Run) Progress() string { return fmt.Sprintf("%d/%d", r.Done, r.All) }

// ActiveSteps returns the names of the running and pending steps; for a run that has ended,
// those of the failed steps.
func (r *Run) ActiveSteps() []string {
	names := []string{}
	for i := range r.Steps {
		s := &r.Steps[i]
		active := s.Phase == Running || s.Phase == Pending
		if r.Phase.Ended() {
			active = s.Phase == Failed || s.Phase == Error
		}
		if active && !s.DAG {
			names = append(names, s.DisplayName())
		}
	}
	return names
}

// Step is the state of a node of a run.
type Step struct {
	// Path is the names of the tasks that lead to it, joined by dots; "" for the entrypoint.
	Path     string `json:"path"`
	Name     string `json:"name"` // of the task; of the template for the entrypoint
	Template string `json:"template"`
	DAG      bool   `json:"dag,omitempty"`
	// Parent is the path of its dag, Needs are the paths of its dependencies.
	Parent     string            `json:"parent,omitempty"`
	Needs      []string          `json:"needs,omitempty"`
	Retries    bool              `json:"retries,omitempty"` // it has a retryStrategy
	Phase      Phase             `json:"phase,omitempty"`   // "" until it is scheduled
	Message    string            `json:"message,omitempty"`
	StartedAt  time.Time         `json:"startedAt,omitzero"`
	FinishedAt time.Time         `json:"finishedAt,omitzero"`
	Inputs     map[string]string `json:"inputs,omitempty"`
	Outputs    map[string]string `json:"outputs,omitempty"`
	// Artifacts are the paths of its output artifacts by name.
	Artifacts map[string]string `json:"artifacts,omitempty"`
	Attempts  []Attempt         `json:"attempts,omitempty"`
}

// DisplayName returns the step's path, or the entrypoint's name.
func (s *Step) DisplayName() string { return cmp.Or(s.Path, s.Name) }

// Attempt is the state of one process of a step.
type Attempt struct {
	Pod        string    `json:"pod"`
	Node       string    `json:"node,omitempty"`
	PID        int       `json:"pid,omitempty"`
	StartID    string    `json:"-"` // identifies the process beside its PID
	Phase      Phase     `json:"phase"`
	Message    string    `json:"message,omitempty"`
	StartedAt  time.Time `json:"startedAt"`
	FinishedAt time.Time `json:"finishedAt,omitzero"`
	ExitCode   *int      `json:"exitCode,omitempty"` // nil if unknown
	Log        string    `json:"log"`
	// Moved means that it is, or was, stopped to be retried on another node.
	Moved bool `json:"moved,omitempty"`
}

// status returns the public state of the run. mu is held.
func (r *run) status() *Run {
	rec := &r.rec
	out := &Run{
		Namespace: rec.Namespace, Name: rec.Name, UID: rec.UID, Identity: rec.Identity, Kind: rec.Template.Kind, Template: rec.Template.Name, Parameters: maps.Clone(rec.Parameters),
		Phase: rec.Phase, Message: rec.Message, Stop: rec.Stop, StartedAt: rec.StartedAt, FinishedAt: rec.FinishedAt, Folder: r.dir,
	}
	if root := rec.Steps[""]; root != nil {
		out.Outputs = maps.Clone(root.Outputs)
	}
	if r.root == nil { // the record can't be resumed
		return out
	}
	r.root.walk(func(n *node) {
		s := r.step(n)
		v := Step{
			Path: n.path, Name: n.String(), Template: n.template.Name, DAG: n.template.DAG != nil, Retries: n.template.RetryStrategy != nil,
			Phase: s.Phase, Message: s.Message, StartedAt: s.StartedAt, FinishedAt: s.FinishedAt,
			Inputs: maps.Clone(s.Inputs), Outputs: maps.Clone(s.Outputs), Artifacts: maps.Clone(s.Artifacts),
		}
		if n.parent != nil {
			v.Parent = n.parent.path
		}
		for _, need := range n.needs {
			if !slices.Contains(v.Needs, need.path) {
				v.Needs = append(v.Needs, need.path)
			}
		}
		for i, a := range s.Attempts {
			v.Attempts = append(v.Attempts, Attempt{
				Pod: a.Pod, Node: a.Node, PID: a.PID, StartID: a.StartID, Phase: a.Phase, Message: a.Message, StartedAt: a.StartedAt, FinishedAt: a.FinishedAt,
				ExitCode: a.ExitCode, Moved: a.Moved, Log: filepath.Join(r.attemptDir(n, i), logName),
			})
		}
		if !v.DAG {
			out.All++
			if s.Phase.Ended() {
				out.Done++
			}
		}
		out.Steps = append(out.Steps, v)
	})
	return out
}

package workflow

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"
)

// Run is how a run stands.
type Run struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	UID       string `json:"uid"`
	Identity  string `json:"identity"`
	// Kind and Template name the object that is run, Parameters are the workflow's with their values.
	Kind       string            `json:"-"`
	Template   string            `json:"template"`
	Parameters map[string]string `json:"parameters,omitempty"`
	Phase      Phase             `json:"phase"`
	Message    string            `json:"message,omitempty"` // for a person, where it did not succeed
	// Stop is why it is being ended, or was, before its steps had ended; "" where it isn't.
	Stop       string    `json:"stop,omitempty"`
	StartedAt  time.Time `json:"startedAt"`
	FinishedAt time.Time `json:"finishedAt,omitzero"`
	// Done and All count the programs to be run: those that have ended, and all.
	Done int `json:"done"`
	All  int `json:"all"`
	// Outputs are the output parameters of the entrypoint.
	Outputs map[string]string `json:"outputs,omitempty"`
	// Steps are all nodes, in the order written; one comes after that which it is part of.
	Steps []Step `json:"steps"`
	// Folder is the run's, with the logs and files of its steps.
	Folder string `json:"folder"`
}

// Progress is like "2/5".
func (r *Run) Progress() string { return fmt.Sprintf("%d/%d", r.Done, r.All) }

// At are the steps where it stands, as a person calls them: those that run or are about
// to, and once it has ended those that failed.
func (r *Run) At() []string {
	at := []string{}
	for i := range r.Steps {
		s := &r.Steps[i]
		stands := s.Phase == Running || s.Phase == Pending
		if r.Phase.Ended() {
			stands = s.Phase == Failed || s.Phase == Error
		}
		if stands && !s.DAG {
			at = append(at, s.Called())
		}
	}
	return at
}

// Step is one node of a run.
type Step struct {
	// Path is made of the names of tasks, joined by dots; "" for the entrypoint.
	Path     string `json:"path"`
	Name     string `json:"name"` // the task's; the template's for the entrypoint
	Template string `json:"template"`
	DAG      bool   `json:"dag,omitempty"`
	// Parent is the path of the dag that it is part of, Needs those that it waits for.
	Parent     string            `json:"parent,omitempty"`
	Needs      []string          `json:"needs,omitempty"`
	Retries    bool              `json:"retries,omitempty"` // it has a retryStrategy
	Phase      Phase             `json:"phase,omitempty"`   // "" before it is its turn
	Message    string            `json:"message,omitempty"`
	StartedAt  time.Time         `json:"startedAt,omitzero"`
	FinishedAt time.Time         `json:"finishedAt,omitzero"`
	Inputs     map[string]string `json:"inputs,omitempty"`
	Outputs    map[string]string `json:"outputs,omitempty"`
	// Artifacts are where the files lie that it left, by name.
	Artifacts map[string]string `json:"artifacts,omitempty"`
	Attempts  []Attempt         `json:"attempts,omitempty"`
}

// Called is what a person calls the step: its path, or the entrypoint's name.
func (s *Step) Called() string { return cmp.Or(s.Path, s.Name) }

// Attempt is one process of a step.
type Attempt struct {
	Pod        string    `json:"pod"`
	Node       string    `json:"node,omitempty"`
	PID        int       `json:"pid,omitempty"`
	Phase      Phase     `json:"phase"`
	Message    string    `json:"message,omitempty"`
	StartedAt  time.Time `json:"startedAt"`
	FinishedAt time.Time `json:"finishedAt,omitzero"`
	ExitCode   *int      `json:"exitCode,omitempty"` // nil where it is not known
	Log        string    `json:"log"`
	// Moved says that it is, or was, ended to be begun again on another node.
	Moved bool `json:"moved,omitempty"`
}

// status is what others see of the run. mu is held.
func (r *run) status() *Run {
	rec := &r.rec
	out := &Run{
		Namespace: rec.Namespace, Name: rec.Name, UID: rec.UID, Identity: rec.Identity, Kind: rec.Template.Kind, Template: rec.Template.Name, Parameters: maps.Clone(rec.Parameters),
		Phase: rec.Phase, Message: rec.Message, Stop: rec.Stop, StartedAt: rec.StartedAt, FinishedAt: rec.FinishedAt, Folder: r.dir,
	}
	if root := rec.Steps[""]; root != nil {
		out.Outputs = maps.Clone(root.Outputs)
	}
	if r.root == nil { // a record that can't be gone on with
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
				Pod: a.Pod, Node: a.Node, PID: a.PID, Phase: a.Phase, Message: a.Message, StartedAt: a.StartedAt, FinishedAt: a.FinishedAt,
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

package workflow

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"
)

// Run is how a run stands.
type Run struct {
	Namespace, Name, UID string
	Identity             string
	// Template is the name of what is run, Parameters the workflow's with their values.
	Template   string
	Parameters map[string]string
	Phase      Phase
	Message    string // for a person, where it did not succeed
	StartedAt  time.Time
	FinishedAt time.Time
	// Done and All count the programs to be run: those that have ended, and all.
	Done, All int
	// Outputs are the output parameters of the entrypoint.
	Outputs map[string]string
	// Steps are all nodes, in the order written; one comes after that which it is part of.
	Steps []Step
	// Folder is the run's, with the logs and files of its steps.
	Folder string
}

// Progress is like "2/5".
func (r *Run) Progress() string { return fmt.Sprintf("%d/%d", r.Done, r.All) }

// Step is one node of a run.
type Step struct {
	// Path is made of the names of tasks, joined by dots; "" for the entrypoint.
	Path     string
	Name     string // the task's; the template's for the entrypoint
	Template string
	DAG      bool
	// Parent is the path of the dag that it is part of, Needs those that it waits for.
	Parent     string
	Needs      []string
	Retries    bool // it has a retryStrategy
	Phase      Phase
	Message    string
	StartedAt  time.Time
	FinishedAt time.Time
	Inputs     map[string]string
	Outputs    map[string]string
	// Artifacts are where the files lie that it left, by name.
	Artifacts map[string]string
	Attempts  []Attempt
}

// Attempt is one process of a step.
type Attempt struct {
	Pod        string
	Node       string
	PID        int
	Phase      Phase
	Message    string
	StartedAt  time.Time
	FinishedAt time.Time
	ExitCode   *int // nil where it is not known
	Log        string
}

// status is what others see of the run. mu is held.
func (r *run) status() *Run {
	rec := &r.rec
	out := &Run{
		Namespace: rec.Namespace, Name: rec.Name, UID: rec.UID, Identity: rec.Identity, Template: rec.Template.Name, Parameters: maps.Clone(rec.Parameters),
		Phase: rec.Phase, Message: rec.Message, StartedAt: rec.StartedAt, FinishedAt: rec.FinishedAt, Folder: r.dir,
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
				ExitCode: a.ExitCode, Log: filepath.Join(r.attemptDir(n, i), logName),
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

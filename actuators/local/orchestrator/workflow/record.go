package workflow

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/statefile"
)

// Phase is Argo's phase of a run or a step.
type Phase string

const (
	Pending   Phase = "Pending" // waits for a node or a back-off
	Running   Phase = "Running"
	Succeeded Phase = "Succeeded"
	Failed    Phase = "Failed"  // by the program: an exit status, a deadline, a cancellation
	Error     Phase = "Error"   // by its environment: it could not be started, an output is missing
	Omitted   Phase = "Omitted" // never started, because a dependency did not succeed
)

// Ended reports whether the phase is final.
func (p Phase) Ended() bool {
	switch p {
	case Succeeded, Failed, Error, Omitted:
		return true
	}
	return false
}

// record is the saved state of a run, complete enough to resume it.
type record struct {
	Namespace  string            `json:"namespace"`
	Name       string            `json:"name"`
	UID        string            `json:"uid"`
	Identity   string            `json:"identity"`
	Template   Template          `json:"template"`
	Parameters map[string]string `json:"parameters,omitempty"` // the workflow's, each with its value
	Phase      Phase             `json:"phase"`
	Message    string            `json:"message,omitempty"`
	StartedAt  time.Time         `json:"startedAt"`
	FinishedAt time.Time         `json:"finishedAt,omitzero"`
	// Deadline is the time at which the run is stopped.
	Deadline time.Time `json:"deadline"`
	// Stop is why the run is being stopped, or was stopped; "" if it isn't.
	Stop string `json:"stop,omitempty"`
	// Steps are keyed by the paths of their nodes.
	Steps map[string]*step `json:"steps"`
}

// readRecord reads the record in a run's folder. It rejects an incomplete record, and one
// whose names don't match the folder, since the folder is derived from them.
func readRecord(dir string) (record, error) {
	var r record
	file := filepath.Join(dir, recordName)
	if err := statefile.Read(file, &r); err != nil {
		return r, err
	}
	if k := (key{r.Namespace, r.Name}); filepath.Base(dir) != k.folder() {
		return r, fmt.Errorf("read state %s: it is the record of run %q, whose folder is another", file, k)
	}
	for name, s := range r.Steps {
		if s == nil || slices.Contains(s.Attempts, nil) {
			return r, fmt.Errorf("read state %s: step %q or an attempt of it is null", file, name)
		}
	}
	if r.Steps == nil { // null in the file
		r.Steps = map[string]*step{}
	}
	return r, nil
}

// step is the saved state of a node.
type step struct {
	Phase      Phase             `json:"phase"`
	Message    string            `json:"message,omitempty"`
	StartedAt  time.Time         `json:"startedAt,omitzero"`
	FinishedAt time.Time         `json:"finishedAt,omitzero"`
	Inputs     map[string]string `json:"inputs,omitempty"`
	Outputs    map[string]string `json:"outputs,omitempty"`
	// Artifacts are the paths of its output artifacts by name; "" for an optional one that
	// is missing.
	Artifacts map[string]string `json:"artifacts,omitempty"`
	Attempts  []*attempt        `json:"attempts,omitempty"`
}

// attempt is the saved state of one process of a step.
type attempt struct {
	UID        string    `json:"uid"`
	Pod        string    `json:"pod"`
	Node       string    `json:"node,omitempty"`
	PID        int       `json:"pid,omitempty"`
	StartID    string    `json:"startID,omitempty"`
	Phase      Phase     `json:"phase"`
	Message    string    `json:"message,omitempty"`
	StartedAt  time.Time `json:"startedAt"`
	FinishedAt time.Time `json:"finishedAt,omitzero"`
	ExitCode   *int      `json:"exitCode,omitempty"` // nil if unknown
	// Stopping is why it is being stopped; "" if it isn't. Moved means that it is retried on
	// another node.
	Stopping string `json:"ending,omitempty"`
	Moved    bool   `json:"moved,omitempty"`
	// Lost means that its exit status is unknown, NeverStarted that its process never started.
	Lost         bool `json:"lost,omitempty"`
	NeverStarted bool `json:"never,omitempty"`
}

// last returns the newest attempt; nil if there is none.
func (s *step) last() *attempt {
	if len(s.Attempts) == 0 {
		return nil
	}
	return s.Attempts[len(s.Attempts)-1]
}

func (s *step) end(p Phase, message string, at time.Time) {
	s.Phase, s.Message, s.FinishedAt = p, message, at
	if s.StartedAt.IsZero() {
		s.StartedAt = at
	}
}

// started reports whether the step has an attempt or a phase beyond Pending.
func (s *step) started() bool {
	return s.Phase != "" && (s.Phase != Pending || len(s.Attempts) > 0)
}

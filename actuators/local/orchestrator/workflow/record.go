package workflow

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/statefile"
)

// Phase is how a run or a step stands, in Argo's words.
type Phase string

const (
	Pending   Phase = "Pending" // it waits: for a place, for its back-off
	Running   Phase = "Running"
	Succeeded Phase = "Succeeded"
	Failed    Phase = "Failed"  // the program's own: an exit status, a deadline, a cancellation
	Error     Phase = "Error"   // what is around it: it could not be started, an output is missing
	Omitted   Phase = "Omitted" // what it waits for did not succeed
)

// Ended tells whether nothing comes after it.
func (p Phase) Ended() bool {
	switch p {
	case Succeeded, Failed, Error, Omitted:
		return true
	}
	return false
}

// record is a run on disk: all that it takes to go on with it.
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
	// Deadline is when the run is ended, whatever it has come to.
	Deadline time.Time `json:"deadline"`
	// Stop is why the run is being ended, or was, before its steps had ended.
	Stop string `json:"stop,omitempty"`
	// Steps are by the names of their nodes.
	Steps map[string]*step `json:"steps"`
}

// readRecord reads the record of the run in a folder. One that is another run's, or can't
// be gone on with and shown, is an error that names the file: what is done for a run is
// done in the folder that its names give.
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
	if r.Steps == nil { // it was not written because it was empty
		r.Steps = map[string]*step{}
	}
	return r, nil
}

// step is one node of a run: a use of a template.
type step struct {
	Phase      Phase             `json:"phase"`
	Message    string            `json:"message,omitempty"`
	StartedAt  time.Time         `json:"startedAt,omitzero"`
	FinishedAt time.Time         `json:"finishedAt,omitzero"`
	Inputs     map[string]string `json:"inputs,omitempty"`
	Outputs    map[string]string `json:"outputs,omitempty"`
	// Artifacts are the files that it left, by name; "" for an optional one that it did
	// not leave.
	Artifacts map[string]string `json:"artifacts,omitempty"`
	Attempts  []*attempt        `json:"attempts,omitempty"`
}

// attempt is one process.
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
	ExitCode   *int      `json:"exitCode,omitempty"` // nil where it is not known
	// Ending is why we end it; "" while we don't. Moved says that it is to be begun again
	// on another node.
	Ending string `json:"ending,omitempty"`
	Moved  bool   `json:"moved,omitempty"`
	// Lost says that its end can't be learnt, Never that it never began.
	Lost  bool `json:"lost,omitempty"`
	Never bool `json:"never,omitempty"`
}

// last is the newest attempt; nil if there is none.
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

// begun tells whether anything was done for it.
func (s *step) begun() bool {
	return s.Phase != "" && (s.Phase != Pending || len(s.Attempts) > 0)
}

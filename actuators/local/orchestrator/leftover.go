package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/statefile"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
)

// Leftover is a process that a state folder records: of a pod, or of a step of a workflow.
type Leftover struct {
	Pod       string    `json:"pod"` // namespace/name
	Of        string    `json:"of"`  // the Deployment, or the run and its step
	PID       int       `json:"pid"`
	StartedAt time.Time `json:"startedAt,omitzero"`
	// Running reports whether that very process runs: the PID and when it started are those of
	// the record.
	Running bool `json:"running"`

	startID string
	file    string // the record of a pod
}

// Leftovers lists the processes that the records of a state folder name. It changes nothing. The
// error wraps fs.ErrNotExist for a folder without records; the list is complete but for the files
// that the error names.
func Leftovers(dir string) ([]Leftover, error) {
	_, err := os.Stat(filepath.Join(dir, "pods"))
	var files []string
	if err == nil {
		files, err = statefile.List(filepath.Join(dir, "pods"), "*.json")
	}
	if err != nil {
		return nil, fmt.Errorf("read the records of pods: %w", err)
	}
	var out []Leftover
	var errs []error
	var tagged map[string][]pod.Handle
	for _, file := range files {
		var r record
		if err := statefile.Read(file, &r); err != nil {
			errs = append(errs, err)
			continue
		}
		if !pod.Alive(r.PID, r.StartID) {
			if tagged == nil {
				tagged = pod.ProcessesByUID()
			}
			for _, p := range tagged[r.UID] { // started, and not recorded any more before its scanflow was killed
				if group, err := syscall.Getpgid(p.PID); err == nil && group == p.PID {
					r.PID, r.StartID = p.PID, p.StartID
				}
			}
		}
		out = append(out, Leftover{Pod: r.Namespace + "/" + r.Name, Of: "Deployment " + r.Deployment, PID: r.PID, StartedAt: r.StartedAt, startID: r.StartID, file: file})
	}
	runs, err := workflow.ReadFolder(WorkflowsDir(dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	for _, run := range runs {
		for i := range run.Steps {
			for _, a := range run.Steps[i].Attempts {
				if a.PID != 0 && a.FinishedAt.IsZero() {
					out = append(out, Leftover{
						Pod: run.Namespace + "/" + a.Pod, Of: "run " + run.Name + ", step " + run.Steps[i].DisplayName(), PID: a.PID, StartedAt: a.StartedAt, startID: a.StartID,
					})
				}
			}
		}
	}
	for i := range out {
		out[i].Running = pod.Alive(out[i].PID, out[i].startID)
	}
	slices.SortFunc(out, func(a, b Leftover) int { return strings.Compare(a.Pod, b.Pod) })
	return out, errors.Join(errs...)
}

// EndLeftovers ends the processes that the records of a state folder name, each with its process
// group: SIGTERM, and SIGKILL once grace is over. It returns those that it ended. The error wraps
// ErrStateInUse, and nothing is ended, while a process has the folder open.
func EndLeftovers(ctx context.Context, dir string, grace time.Duration) ([]Leftover, error) {
	if _, err := os.Stat(filepath.Join(dir, "pods")); err != nil { // or the lock would make the folder's file
		return nil, fmt.Errorf("read the records of pods: %w", err)
	}
	lock, err := statefile.Acquire(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = lock.Release() }()
	all, readErr := Leftovers(dir)
	running := slices.DeleteFunc(slices.Clone(all), func(l Leftover) bool { return !l.Running })
	errs := []error{readErr}
	for _, l := range running {
		errs = append(errs, l.signal(syscall.SIGTERM))
	}
	if !awaitEnd(ctx, running, grace) {
		for _, l := range running {
			errs = append(errs, l.signal(syscall.SIGKILL))
		}
		if !awaitEnd(context.WithoutCancel(ctx), running, killGrace) {
			errs = append(errs, errors.New("some processes do not end, though they were killed"))
		}
	}
	var ended []Leftover
	for _, l := range running {
		if pod.Alive(l.PID, l.startID) {
			continue
		}
		ended = append(ended, l)
		if l.file != "" {
			errs = append(errs, statefile.Remove(l.file))
		}
	}
	return ended, errors.Join(errs...)
}

// killGrace is how long a process may take to end after SIGKILL.
const killGrace = 5 * time.Second

// signal sends a signal to the process group, if the process is still the one of the record and
// leads its group.
func (l *Leftover) signal(sig syscall.Signal) error {
	group, err := syscall.Getpgid(l.PID)
	if !pod.Alive(l.PID, l.startID) {
		return nil
	}
	if err != nil || group != l.PID {
		return fmt.Errorf("process %d of pod %s leads no process group: it is left alone", l.PID, l.Pod)
	}
	if err := syscall.Kill(-l.PID, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("end process %d of pod %s: %w", l.PID, l.Pod, err)
	}
	return nil
}

// awaitEnd reports whether all processes end within a time.
func awaitEnd(ctx context.Context, all []Leftover, within time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for slices.ContainsFunc(all, func(l Leftover) bool { return pod.Alive(l.PID, l.startID) }) {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
	return true
}

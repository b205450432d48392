package orchestrator

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/statefile"
	"github.com/scanflow-k8s/scanflow/engine/filelock"
)

// record is a pod on disk, with all that it takes to adopt its process.
type record struct {
	Namespace   string            `json:"namespace"`
	Name        string            `json:"name"`
	UID         string            `json:"uid"`
	Deployment  string            `json:"deployment"`
	Hash        string            `json:"templateHash"`
	Serial      int               `json:"serial"`
	Node        string            `json:"node"`
	Cores       pod.Cores         `json:"cores,omitempty"` // of its node when it was scheduled
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Spec        corev1.PodSpec    `json:"spec"`
	Log         string            `json:"log"`
	PID         int               `json:"pid,omitempty"`
	StartID     string            `json:"startID,omitempty"`
	StartedAt   time.Time         `json:"startedAt,omitzero"`
	CreatedAt   time.Time         `json:"createdAt,omitzero"` // of the pod; an earlier version's record has none
	Ports       []pod.Port        `json:"ports,omitempty"`
	Restarts    int               `json:"restarts"`
}

func (r *record) key() types.NamespacedName { return named(r.Namespace, r.Name) }

// store reads and writes the state folder: a file for each pod and each override. A file
// is replaced as a whole, so that a crash leaves the old one or the new one.
type store struct {
	dir  string
	lock *filelock.Lock
}

// ErrStateInUse is the error for a state folder that another process has open.
var ErrStateInUse = statefile.ErrInUse

func openStore(dir string) (*store, error) {
	if dir == "" {
		return nil, errors.New("no StateDir is given; pods and their logs need a folder")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open the state folder: %w", err)
	}
	for _, sub := range []string{"pods", "workloads", "logs"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, fmt.Errorf("make the state folder: %w", err)
		}
	}
	lock, err := statefile.Acquire(dir)
	if err != nil {
		return nil, err
	}
	return &store{dir, lock}, nil
}

func (s *store) close() error { return s.lock.Release() }

// Names are DNS labels, which hold no underscore, so that two never share a file.
func (s *store) podFile(k types.NamespacedName) string {
	return filepath.Join(s.dir, "pods", k.Namespace+"_"+k.Name+".json")
}

func (s *store) logFile(k types.NamespacedName) string {
	return filepath.Join(s.dir, "logs", k.Namespace+"_"+k.Name+".log")
}

func (s *store) overrideFile(id ObjectID) string {
	return filepath.Join(s.dir, "workloads", strings.ToLower(id.Kind)+"_"+id.Namespace+"_"+id.Name+".json")
}

func (s *store) savePod(r record) error                 { return statefile.Write(s.podFile(r.key()), r) }
func (s *store) removePod(k types.NamespacedName) error { return statefile.Remove(s.podFile(k)) }

// loadPods reads the records of pods. A file that can't be read is renamed to FILE.bad and
// named in the error, beside the records of the other files.
func (s *store) loadPods() ([]record, error) {
	files, err := statefile.List(filepath.Join(s.dir, "pods"), "*.json")
	if err != nil {
		return nil, err
	}
	var out []record
	var errs []error
	for _, file := range files {
		var r record
		err := statefile.Read(file, &r)
		if err == nil && filepath.Base(file) != r.Namespace+"_"+r.Name+".json" {
			err = fmt.Errorf("read state %s: it is the record of pod %s/%s, whose file is another", file, r.Namespace, r.Name)
		}
		if err != nil {
			errs = append(errs, err, os.Rename(file, file+".bad"))
			continue
		}
		out = append(out, r)
	}
	return out, errors.Join(errs...)
}

// pruneLogs removes the logs of pods without a record that were last written before a
// time.
func (s *store) pruneLogs(records []record, before time.Time) error {
	used := map[string]bool{}
	for _, r := range records {
		used[r.Log] = true
	}
	files, err := statefile.List(filepath.Join(s.dir, "logs"), "*.log*")
	if err != nil {
		return err
	}
	var errs []error
	for _, file := range files {
		info, err := os.Stat(file)
		if err == nil && !used[strings.TrimSuffix(file, ".1")] && info.ModTime().Before(before) {
			err = os.Remove(file)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (s *store) saveOverride(id ObjectID, set override) error {
	if err := statefile.Write(s.overrideFile(id), set); err != nil {
		return fmt.Errorf("keep what was asked of %s: %w", id, err)
	}
	return nil
}

func (s *store) removeOverride(id ObjectID) error { return statefile.Remove(s.overrideFile(id)) }

// loadOverride returns an empty override where none is stored.
func (s *store) loadOverride(id ObjectID) (override, error) {
	var set override
	err := statefile.Read(s.overrideFile(id), &set)
	if errors.Is(err, fs.ErrNotExist) {
		return override{}, nil
	}
	return set, err
}

package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/statefile"
	"github.com/scanflow-k8s/scanflow/engine/filelock"
)

// record is a pod on disk: all that it takes to adopt its process.
type record struct {
	Namespace   string            `json:"namespace"`
	Name        string            `json:"name"`
	UID         string            `json:"uid"`
	Deployment  string            `json:"deployment"`
	Hash        string            `json:"templateHash"`
	Serial      int               `json:"serial"`
	Node        string            `json:"node"`
	Cores       pod.Cores         `json:"cores,omitempty"` // of its node, when it was placed
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Spec        corev1.PodSpec    `json:"spec"`
	Log         string            `json:"log"`
	PID         int               `json:"pid,omitempty"`
	StartID     string            `json:"startID,omitempty"`
	StartedAt   time.Time         `json:"startedAt,omitzero"`
	Ports       []pod.Port        `json:"ports,omitempty"`
	Restarts    int               `json:"restarts"`
}

func (r *record) key() key { return key{r.Namespace, r.Name} }

// wish is what actuators asked of a workload. It holds until the YAML asks for
// something new: Declared is what the YAML said when the wish was made.
type wish struct {
	Replicas *replicasWish `json:"replicas,omitempty"`
	Weights  *weightsWish  `json:"weights,omitempty"`
	Model    *modelWish    `json:"model,omitempty"`
	Place    *placeWish    `json:"place,omitempty"`
	// Restart is the identity of the last change that restarted the pods.
	Restart string `json:"restart,omitempty"`
}

type replicasWish struct {
	Declared int `json:"declared"`
	Wanted   int `json:"wanted"`
}

type weightsWish struct {
	Declared map[string]int `json:"declared"`
	Wanted   map[string]int `json:"wanted"`
}

// store is the state folder: one small file a pod and a workload, each replaced
// as a whole, so that a crash leaves the old one or the new one.
type store struct {
	dir  string
	lock *filelock.Lock
}

// ErrStateInUse says that another process has the state folder open.
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

// Names are DNS labels, which hold no underscore, so that it parts them safely.
func (s *store) podFile(k key) string {
	return filepath.Join(s.dir, "pods", k.namespace+"_"+k.name+".json")
}

func (s *store) logFile(k key) string {
	return filepath.Join(s.dir, "logs", k.namespace+"_"+k.name+".log")
}

func (s *store) wishFile(id objectID) string {
	return filepath.Join(s.dir, "workloads", strings.ToLower(id.kind)+"_"+id.namespace+"_"+id.name+".json")
}

func (s *store) savePod(r record) error { return statefile.Write(s.podFile(r.key()), r) }
func (s *store) forgetPod(k key) error  { return statefile.Remove(s.podFile(k)) }

// loadPods reads the records. One that can't be read is set aside as FILE.bad and
// named in the error; the others count.
func (s *store) loadPods() ([]record, error) {
	files, err := filepath.Glob(filepath.Join(s.dir, "pods", "*.json"))
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

// pruneLogs removes the logs that were last written before a time and belong to no
// recorded pod.
func (s *store) pruneLogs(records []record, before time.Time) error {
	used := map[string]bool{}
	for _, r := range records {
		used[r.Log] = true
	}
	files, err := filepath.Glob(filepath.Join(s.dir, "logs", "*.log*"))
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

func (s *store) saveWish(id objectID, w wish) error { return statefile.Write(s.wishFile(id), w) }
func (s *store) forgetWish(id objectID) error       { return statefile.Remove(s.wishFile(id)) }

func (s *store) loadWish(id objectID) (wish, error) {
	var w wish
	err := statefile.Read(s.wishFile(id), &w)
	if errors.Is(err, fs.ErrNotExist) {
		return wish{}, nil
	}
	return w, err
}

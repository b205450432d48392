package reload

import (
	"encoding/gob"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine/policy"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

// The names in the folder of the copy.
const (
	copyOfPolicies  = "policies"
	copyOfManifests = "manifests"
	copyOfWorkloads = "workloads"
)

// LastGood is a copy, in the data folder, of the policies, manifests and workloads that
// the process runs on. A clean end removes it. After any other end, the next process can
// start from it if the files on disk are refused by then: nobody may be there to correct
// them at that hour, and the other agents must not stand still.
type LastGood struct {
	dir     string
	files   Files
	enabled bool
	log     hclog.Logger
	mu      sync.Mutex // guards the folder
}

// NewLastGood makes a copy in a data folder. It does nothing where it is not enabled.
func NewLastGood(data string, files Files, enabled bool, log hclog.Logger) *LastGood {
	return &LastGood{dir: filepath.Join(data, "lastgood"), files: files, enabled: enabled, log: log}
}

// Keep replaces the copy by these policies and the files of now, which were all accepted.
func (l *LastGood) Keep(live *policy.Revision) {
	if !l.enabled {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.write(live); err != nil {
		l.log.Warn("no copy is kept of what this process runs on; after an end that is not in order, what is written down must be right", "error", err)
	}
}

func (l *LastGood) write(live *policy.Revision) error {
	fresh := l.dir + ".new"
	if err := errors.Join(os.RemoveAll(fresh), os.MkdirAll(fresh, 0o700)); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(fresh, copyOfPolicies), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = errors.Join(
		gob.NewEncoder(f).Encode(live.Source().AsTaken()), f.Close(),
		copyAll(l.files.Manifests, filepath.Join(fresh, copyOfManifests)), copyAll(l.files.Workloads, filepath.Join(fresh, copyOfWorkloads)),
	)
	if err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(l.dir), os.Rename(fresh, l.dir))
}

// copyAll copies files and folders, each into a folder named by its index.
func copyAll(paths []string, to string) error {
	for i, p := range paths {
		real, err := filepath.EvalSymlinks(p)
		if err != nil {
			return err
		}
		err = filepath.WalkDir(real, func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := os.Stat(name)
			if err != nil || !info.Mode().IsRegular() {
				return nil // removed since, or nothing that is read
			}
			rel, err := filepath.Rel(real, name)
			if err != nil {
				return err
			}
			if rel == "." {
				rel = filepath.Base(p) // a file, by the name that was given
			}
			raw, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			file := filepath.Join(to, strconv.Itoa(i), rel)
			return errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, raw, 0o600))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Remove removes the copy, at a clean end.
func (l *LastGood) Remove() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = os.RemoveAll(l.dir) // one that stays is used only if the next start is refused
}

// Read returns the copy that the last process left. The error is an fs.ErrNotExist where
// it left none.
func (l *LastGood) Read() (policies source.Source, files Files, err error) {
	if !l.enabled {
		return policies, files, fs.ErrNotExist
	}
	f, err := os.Open(filepath.Join(l.dir, copyOfPolicies))
	if err != nil {
		return policies, files, err
	}
	defer func() { _ = f.Close() }() // only read from
	err = gob.NewDecoder(f).Decode(&policies)
	return policies, Files{l.indexed(copyOfManifests, len(l.files.Manifests)), l.indexed(copyOfWorkloads, len(l.files.Workloads))}, err
}

func (l *LastGood) indexed(name string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = filepath.Join(l.dir, name, strconv.Itoa(i))
	}
	return out
}

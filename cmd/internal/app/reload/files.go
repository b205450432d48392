// Package reload reads the files that a process runs on, takes them up again when they
// change, and keeps a copy of the last that were accepted. Files that are wrong in any
// part are refused as a whole, and what ran before runs on. It starts no agent; its user
// does that in Apply. Start reading at Reloader.
package reload

import (
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentcheck"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/plainfile"
	"github.com/scanflow-k8s/scanflow/engine/policy"
)

// Files are the files and folders that a process reads: manifests of agents, and the
// workloads of the local orchestrator.
type Files struct{ Manifests, Workloads []string }

// Agents reads the manifests. The error lists every mistake in them.
func (f Files) Agents() ([]*manifest.Agent, error) {
	return manifest.Read(f.Manifests, agentspec.Kinds())
}

// Read reads the manifests and the workloads. The error lists every mistake in both.
func (f Files) Read() (agents []*manifest.Agent, workloads orchestrator.Workloads, err error) {
	agents, err = f.Agents()
	if len(f.Workloads) > 0 {
		read, workloadsErr := orchestrator.Read(f.Workloads...)
		workloads, err = read, errors.Join(err, workloadsErr)
	}
	return agents, workloads, err
}

// Fit returns why agents as the manifests have them don't fit policies, or can't run here.
func (f Files) Fit(agents []*manifest.Agent, rev *policy.Revision, env agentspec.Env) error {
	if err := agentcheck.Verify(agents, rev); err != nil {
		return err
	}
	_, err := agentspec.Build(agents, env)
	return err
}

func (f Files) paths() []string { return append(append([]string{}, f.Manifests...), f.Workloads...) }

// folders lists the folders that hold the files, and those that their links lead to.
func (f Files) folders() []string {
	seen := map[string]bool{}
	var out []string
	add := func(dir string) {
		if !seen[dir] {
			seen[dir] = true
			out = append(out, dir)
		}
	}
	for _, p := range f.paths() {
		if real, err := filepath.EvalSymlinks(p); err == nil {
			if info, err := os.Stat(real); err == nil && info.IsDir() {
				add(real)
			} else {
				add(filepath.Dir(real))
			}
		}
		add(filepath.Dir(p)) // where a link is changed, or the file is renamed over
	}
	return out
}

// maxFile bounds the bytes of a file that are read to find out whether it changed. No
// reader accepts a larger one.
const maxFile = 16 << 20

// Content identifies what the files held at one time.
type Content [sha256.Size]byte

// Content hashes the names and contents of the files; of one that can't be read, the error.
func (f Files) Content() Content {
	h := sha256.New()
	for _, p := range f.paths() {
		root := p
		if real, err := filepath.EvalSymlinks(p); err == nil {
			root = real // WalkDir does not follow its root
		}
		_ = filepath.WalkDir(root, func(name string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return nil
			}
			raw, err := plainfile.Read(name, maxFile)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			sum := sha256.Sum256(raw)
			if err != nil {
				sum = sha256.Sum256([]byte(err.Error()))
			}
			_, _ = h.Write([]byte(name))
			_, _ = h.Write([]byte{0})
			_, _ = h.Write(sum[:])
			return nil
		})
	}
	return Content(h.Sum(nil))
}

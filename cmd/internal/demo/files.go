package demo

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/policysource"
	"github.com/scanflow-k8s/scanflow/policies"
)

// files are the run's own, editable copies.
type files struct {
	agents, workloads string
	policies          policysource.Source
}

// copyPolicies copies the shipped policies, including the guards, if no others are given.
func (f *files) copyPolicies(dir string) error {
	if len(f.policies.Paths) > 0 {
		return nil
	}
	to := filepath.Join(dir, "policies")
	f.policies = policysource.Source{Paths: []string{to}, WithoutShippedGuards: true}
	return copyTree(policies.FS, ".", to, nil)
}

// copyTree copies the files of a folder. It skips a subfolder "workloads", which has another
// destination than the agents.
func copyTree(from fs.FS, dir, to string, change func([]byte) ([]byte, error)) error {
	return fs.WalkDir(from, dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below := name // for dir "."
		if dir != "." {
			below = strings.TrimPrefix(strings.TrimPrefix(name, dir), "/")
		}
		if d.IsDir() {
			if below == "workloads" {
				return fs.SkipDir
			}
			return os.MkdirAll(filepath.Join(to, filepath.FromSlash(below)), 0o755)
		}
		raw, err := fs.ReadFile(from, name)
		if err == nil && change != nil {
			raw, err = change(raw)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return os.WriteFile(filepath.Join(to, filepath.FromSlash(below)), raw, 0o644)
	})
}

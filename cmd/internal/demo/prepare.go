package demo

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/policysource"
	"github.com/scanflow-k8s/scanflow/deploy"
	"github.com/scanflow-k8s/scanflow/policies"
)

// files are where the run's own copies lie, to be looked at and edited.
type files struct {
	agents, workloads string
	policies          policysource.Source
}

// layOut copies the scenario's manifests and policies into the run's folder, with
// the model's place filled in and every duration at the speed chosen.
func layOut(o *Options, model string) (files, error) {
	out := files{agents: filepath.Join(o.Dir, "agents"), workloads: filepath.Join(o.Dir, "workloads"), policies: o.Policies}
	if err := copyTree(deploy.FS, "local/autoscale/workloads", out.workloads, func(raw []byte) ([]byte, error) {
		return bytes.ReplaceAll(raw, []byte("value: model.digits"), []byte("value: "+model)), nil
	}); err != nil {
		return out, err
	}
	if err := out.copyPolicies(o.Dir); err != nil {
		return out, err
	}
	faster := func(raw []byte) ([]byte, error) { return pace{by: o.Speed}.agents(raw) }
	if o.Speed == 1 {
		faster = nil // the file as it ships, comments and all
	}
	return out, copyTree(deploy.FS, "local/autoscale", out.agents, faster)
}

// copyPolicies copies the policies that ship, where no others are given. The guards are
// among them, to be edited like the rest.
func (f *files) copyPolicies(dir string) error {
	if len(f.policies.Paths) > 0 {
		return nil
	}
	to := filepath.Join(dir, "policies")
	f.policies = policysource.Source{Paths: []string{to}, WithoutShippedGuards: true}
	return copyTree(policies.FS, ".", to, nil)
}

// copyTree copies the files of a folder. A folder below it that has another use is
// left out: "workloads" beside the agents.
func copyTree(from fs.FS, dir, to string, change func([]byte) ([]byte, error)) error {
	return fs.WalkDir(from, dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below := name // of dir "."
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

package demo

import (
	"bytes"
	"path"
	"path/filepath"

	"github.com/scanflow-k8s/scanflow/deploy"
)

// files copies the study's manifests and the policies into a folder, filled in and at
// the speed chosen.
func (s *study) files(o *Options, dir string) (files, error) {
	if s.layOut != nil {
		return s.layOut(dir)
	}
	out := files{agents: filepath.Join(dir, "agents"), workloads: filepath.Join(dir, "workloads"), policies: o.Policies}
	if err := out.copyPolicies(dir); err != nil {
		return out, err
	}
	fill := func(raw []byte) ([]byte, error) {
		if s.fill != nil {
			raw = s.fill(raw)
		}
		return raw, nil
	}
	agents := func(raw []byte) ([]byte, error) {
		raw, err := fill(raw)
		if err == nil && s.paused {
			raw = bytes.ReplaceAll(raw, []byte("mode: enforce"), []byte("mode: paused"))
		}
		if err == nil && s.pace.by > 1 {
			raw, err = s.pace.agents(raw)
		}
		return raw, err
	}
	from := path.Join("scenarios", s.name)
	if err := copyTree(deploy.FS, path.Join(from, "workloads"), out.workloads, fill); err != nil {
		return out, err
	}
	return out, copyTree(deploy.FS, path.Join(from, "agents"), out.agents, agents)
}

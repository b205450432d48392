package demo

import (
	"bytes"
	"path/filepath"

	"github.com/scanflow-k8s/scanflow/deploy"
)

// writeAutoscaleFiles copies the scenario's manifests and policies into the run's folder, with
// the model's path filled in and all durations at the given speed.
func writeAutoscaleFiles(o *Options, model string) (files, error) {
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
		faster = nil // keep the shipped file with its comments
	}
	return out, copyTree(deploy.FS, "local/autoscale", out.agents, faster)
}

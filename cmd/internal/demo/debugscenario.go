package demo

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sigs.k8s.io/kustomize/api/resource"
)

// The layers.
const (
	application    = "application"
	infrastructure = "infrastructure"
)

// scalerPace makes the scaler fire every two seconds at speed 1.
func scalerPace(speed float64) pace {
	return pace{by: 5 * speed, interval: time.Second, window: 2 * time.Second}
}

// writeDebugFiles renders a scenario of deploy/scenarios that builds on deploy/modeldebug into
// a folder, like `kubectl kustomize`, but without the parts that only a user's own cluster
// needs.
func writeDebugFiles(o *Options, dir, scenario, tracker string) (files, error) {
	out := files{agents: filepath.Join(dir, "agents"), workloads: filepath.Join(dir, "workloads"), policies: o.Policies}
	if err := out.copyPolicies(dir); err != nil {
		return out, err
	}
	for _, dir := range []string{out.agents, out.workloads} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return out, err
		}
	}
	filled := DebugFiles{Tracker: tracker, Digits: o.Digits, Seed: o.Seed}.replacer()
	resources, err := kustomizeBuild("scenarios/"+scenario, func(name string, raw []byte) []byte {
		switch {
		case strings.HasPrefix(name, "modeldebug/workloads/"):
			return []byte(filled.Replace(string(raw)))
		case name == "scenarios/drift/kustomization.yaml":
			return []byte(strings.Replace(string(raw), "components: [cluster]\n", "", 1))
		}
		return raw
	})
	if err != nil {
		return out, err
	}
	for _, r := range resources {
		if r.GetKind() == "Namespace" { // the platform creates it
			continue
		}
		if err := out.write(o, r); err != nil {
			return out, err
		}
	}
	return out, nil
}

// write writes an object into its own file. The agents of the application layer get the pace
// of the debug demos, and those of the infrastructure layer their own.
func (f *files) write(o *Options, r *resource.Resource) error {
	raw, err := r.AsYAML()
	if err != nil {
		return err
	}
	dir := f.workloads
	if r.GetKind() == "Agent" {
		dir = f.agents
		layer, _ := r.GetString("spec.layer")
		p := debugPace
		if layer == infrastructure {
			p = scalerPace(o.Speed)
		}
		if raw, err = p.agents(raw); err != nil {
			return err
		}
	}
	file := filepath.Join(dir, fmt.Sprintf("%s-%s.yaml", strings.ToLower(r.GetKind()), r.GetName()))
	return os.WriteFile(file, raw, 0o644)
}

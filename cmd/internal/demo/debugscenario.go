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

// scalerPace has the scaler look every two seconds, at the speed chosen.
func scalerPace(speed float64) pace {
	return pace{by: 5 * speed, interval: time.Second, window: 2 * time.Second}
}

// layOutDebugging renders a scenario of deploy/scenarios that builds on deploy/modeldebug
// into a folder, as `kubectl kustomize` does, but for what only a cluster of one's
// own needs.
func layOutDebugging(o *Options, dir, scenario, tracker string) (files, error) {
	out := files{agents: filepath.Join(dir, "agents"), workloads: filepath.Join(dir, "workloads"), policies: o.Policies}
	if err := out.copyPolicies(dir); err != nil {
		return out, err
	}
	for _, dir := range []string{out.agents, out.workloads} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return out, err
		}
	}
	filled := Debugging{Tracker: tracker, Digits: o.Digits, Seed: o.Seed}.filled()
	resources, err := kustomized("scenarios/"+scenario, func(name string, raw []byte) []byte {
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
		if r.GetKind() == "Namespace" { // the platform's to make
			continue
		}
		if err := out.write(o, r); err != nil {
			return out, err
		}
	}
	return out, nil
}

// write writes an object into a file of its own: an agent at the pace of the demo, the
// application layer's as in every scenario, and the infrastructure layer's at its own.
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

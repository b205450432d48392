package demo

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
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

// layOutDay renders deploy/scenarios/day into the run's folder, as `kubectl kustomize`
// does: the application layer's agents at the pace of the demo, as drift has it, and the
// infrastructure layer's at a pace of its own.
func (st *debugStage) layOutDay() (files, error) {
	o := st.o
	out := files{agents: filepath.Join(o.Dir, "agents"), workloads: filepath.Join(o.Dir, "workloads"), policies: o.Policies}
	if err := out.copyPolicies(o.Dir); err != nil {
		return out, err
	}
	for _, dir := range []string{out.agents, out.workloads} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return out, err
		}
	}
	filled := Debugging{Tracker: st.trackURL, Digits: o.Digits, Seed: o.Seed}.filled()
	resources, err := kustomized("scenarios/day", func(name string, raw []byte) []byte {
		if strings.HasPrefix(name, "modeldebug/workloads/") {
			return []byte(filled.Replace(string(raw)))
		}
		return raw
	})
	if err != nil {
		return out, err
	}
	for _, r := range resources {
		raw, err := r.AsYAML()
		if err != nil {
			return out, err
		}
		dir := out.workloads
		if r.GetKind() == "Agent" {
			dir = out.agents
			layer, _ := r.GetString("spec.layer")
			p := debugPace
			if layer == infrastructure {
				p = scalerPace(o.Speed)
			}
			if raw, err = p.agents(raw); err != nil {
				return out, err
			}
		}
		file := filepath.Join(dir, fmt.Sprintf("%s-%s.yaml", strings.ToLower(r.GetKind()), r.GetName()))
		if err := os.WriteFile(file, raw, 0o644); err != nil {
			return out, err
		}
	}
	return out, nil
}

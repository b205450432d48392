package demo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"

	"github.com/scanflow-k8s/scanflow/cmd/internal/wiring"
	"github.com/scanflow-k8s/scanflow/deploy"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/policies"
	"github.com/scanflow-k8s/scanflow/sensors"
)

// files are where the run's own copies lie, to be looked at and edited.
type files struct{ agents, workloads, policies string }

// layOut copies the scenario's manifests and policies into the run's folder, with
// the model's place filled in and every duration at the speed chosen.
func layOut(o *Options, model string) (files, error) {
	out := files{agents: filepath.Join(o.Dir, "agents"), workloads: filepath.Join(o.Dir, "workloads"), policies: o.Policies}
	if err := copyTree(deploy.FS, "local/autoscale/workloads", out.workloads, func(raw []byte) ([]byte, error) {
		return bytes.ReplaceAll(raw, []byte("value: model.digits"), []byte("value: "+model)), nil
	}); err != nil {
		return out, err
	}
	if out.policies == "" {
		out.policies = filepath.Join(o.Dir, "policies")
		if err := copyTree(policies.FS, ".", out.policies, nil); err != nil {
			return out, err
		}
	}
	faster := func(raw []byte) ([]byte, error) { return atSpeed(raw, o.Speed) }
	if o.Speed == 1 {
		faster = nil // the file as it ships, comments and all
	}
	return out, copyTree(deploy.FS, "local/autoscale", out.agents, faster)
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

// atSpeed divides every duration of an agent's manifest, the windows of its
// queries too.
func atSpeed(raw []byte, speed float64) ([]byte, error) {
	agents, err := manifest.ReadBytes("agent.yaml", raw, wiring.Kinds())
	if err != nil {
		return nil, err
	}
	divide := func(d *manifest.Duration) { d.Duration = time.Duration(float64(d.Duration) / speed) }
	var out []byte
	for _, a := range agents {
		for i := range a.Spec.Triggers {
			divide(&a.Spec.Triggers[i].Every)
			divide(&a.Spec.Triggers[i].Jitter)
		}
		for k, d := range a.Spec.Guards.Cooldown {
			divide(&d)
			a.Spec.Guards.Cooldown[k] = d
		}
		if a.Spec.Guards.Budget != nil {
			divide(&a.Spec.Guards.Budget.Per)
		}
		for i := range a.Spec.Sensors {
			s := &a.Spec.Sensors[i]
			divide(&s.StaleAfter)
			if p, is := s.Config.(*sensors.PrometheusConfig); is {
				if p.Query, err = queryAtSpeed(p.Query, speed); err != nil {
					return nil, err
				}
			}
		}
		text, err := json.Marshal(a)
		if err != nil {
			return nil, err
		}
		asYAML, err := yaml.JSONToYAML(text)
		if err != nil {
			return nil, err
		}
		out = append(append(out, "---\n"...), asYAML...)
	}
	return out, nil
}

// queryAtSpeed divides the range selectors of a PromQL query.
func queryAtSpeed(query string, speed float64) (string, error) {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		return "", err
	}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if m, is := node.(*parser.MatrixSelector); is {
			m.Range = time.Duration(float64(m.Range) / speed)
		}
		return nil
	})
	return expr.String(), nil
}

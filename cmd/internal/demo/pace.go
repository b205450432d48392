package demo

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/sensors"
)

// pace divides all durations of a scenario's agents.
type pace struct {
	by float64
	// interval, window and param are the minimum values of a trigger's interval, of a query's
	// range, and of a parameter whose name ends in _ns.
	interval, window, param time.Duration
}

func (p pace) shorten(d, least time.Duration) time.Duration {
	if d == 0 {
		return 0
	}
	return max(time.Duration(float64(d)/p.by), least)
}

// agents rewrites a file of agents.
func (p pace) agents(raw []byte) ([]byte, error) {
	agents, err := manifest.ReadBytes("agent.yaml", raw, agentspec.Kinds())
	if err != nil {
		return nil, err
	}
	var out []byte
	for _, a := range agents {
		if err := p.agent(&a.Spec); err != nil {
			return nil, err
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

func (p pace) agent(spec *manifest.Spec) error {
	change := func(d *manifest.Duration, least time.Duration) { d.Duration = p.shorten(d.Duration, least) }
	for i := range spec.Triggers {
		change(&spec.Triggers[i].Every, p.interval)
		change(&spec.Triggers[i].Jitter, 0)
	}
	for k, d := range spec.Guards.Cooldown {
		change(&d, 0)
		spec.Guards.Cooldown[k] = d
	}
	if spec.Guards.Budget != nil {
		change(&spec.Guards.Budget.Per, 0)
	}
	for name, value := range spec.Params {
		if ns, isNumber := value.(float64); isNumber && strings.HasSuffix(name, "_ns") {
			spec.Params[name] = float64(p.shorten(time.Duration(ns), p.param))
		}
	}
	for i := range spec.Sensors {
		s := &spec.Sensors[i]
		change(&s.StaleAfter, p.window)
		if c, is := s.Config.(*sensors.PrometheusConfig); is {
			var err error
			if c.Query, err = p.query(c.Query); err != nil {
				return err
			}
		}
	}
	return nil
}

// query divides the durations of a PromQL query: ranges, subqueries with their steps, and
// offsets.
func (p pace) query(query string) (string, error) {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		return "", err
	}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.MatrixSelector:
			n.Range = p.shorten(n.Range, p.window)
		case *parser.SubqueryExpr:
			n.Range, n.Step, n.OriginalOffset = p.shorten(n.Range, p.window), p.shorten(n.Step, p.interval), p.offset(n.OriginalOffset)
		case *parser.VectorSelector:
			n.OriginalOffset = p.offset(n.OriginalOffset)
		}
		return nil
	})
	return expr.String(), nil
}

// offset may be negative, for a time in the future.
func (p pace) offset(d time.Duration) time.Duration {
	return time.Duration(float64(d) / p.by)
}

package policy

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

// autoscale is a strategy as a person would write it, with its test.
const autoscale = `package scanflow.strategies.serving.autoscale

import data.scanflow.lib.load

# METADATA
# title: Grow with the load
# description: More replicas than the load needs is fine, fewer is not.
# custom:
#   layer: infrastructure
propose contains proposal if {
	wanted := load.replicas(input.signals.rps, input.params.rps_per_replica)
	wanted > input.target.replicas.desired
	proposal := {
		"primitive": "scale",
		"with": {"replicas": wanted},
		"priority": 10,
		"reason": "load_above_capacity",
		"because": ["rps"],
	}
}
`

const autoscaleTest = `package scanflow.strategies.serving.autoscale_test

import data.scanflow.strategies.serving.autoscale

test_grows[note] if {
	some note, c in {
		"one is enough": {"rps": 10, "want": 0},
		"two are needed": {"rps": 30, "want": 1},
	}
	got := autoscale.propose with input as {
		"signals": {"rps": {"state": "ok", "value": c.rps}},
		"params": {"rps_per_replica": 20},
		"target": {"replicas": {"desired": 1}},
	}
	count(got) == c.want
}
`

const lib = `package scanflow.lib.load

replicas(signal, per) := ceil(signal.value / per)
`

func basic() map[string]string {
	return map[string]string{
		".manifest":                              `{"roots": ["scanflow"], "rego_version": 1}`,
		"lib/load.rego":                          lib,
		"strategies/serving/autoscale.rego":      autoscale,
		"strategies/serving/autoscale_test.rego": autoscaleTest,
	}
}

// with is the files with some replaced; "" takes one out.
func with(files map[string]string, pairs ...string) map[string]string {
	out := map[string]string{}
	for k, v := range files {
		out[k] = v
	}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			delete(out, pairs[i])
		} else {
			out[pairs[i]] = pairs[i+1]
		}
	}
	return out
}

func sourceOf(t testing.TB, files map[string]string) source.Source {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	src, err := source.ReadFS(fsys)
	require.NoError(t, err)
	return src
}

func compiled(t testing.TB, files map[string]string, opts Options) *Revision {
	t.Helper()
	rev, err := Compile(context.Background(), sourceOf(t, files), opts)
	require.NoError(t, err)
	return rev
}

// one is a set of policies with a single strategy "x", from its body.
func one(rego string) map[string]string {
	return map[string]string{"x.rego": "package scanflow.strategies.x\n\n" + rego}
}

func write(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o755))
		require.NoError(t, os.WriteFile(p, []byte(text), 0o644))
	}
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// document is a target that gets rps requests a second.
func document(rps float64) *engine.Document {
	return &engine.Document{
		Agent:   &engine.AgentInfo{Namespace: "mlperf", Name: "planner", Role: "planner", Layer: "infrastructure"},
		Now:     noon,
		Trigger: &engine.TriggerInfo{Name: "tick", Kind: "every"},
		Target: engine.Target{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "mlperf", Name: "digits",
			Labels: map[string]string{"app": "digits"}, Replicas: &engine.Replicas{Desired: 1, Ready: 1}},
		Names:   []string{"rps", "errors"},
		Signals: []engine.Signal{{State: engine.OK, Value: rps, At: noon.Add(-time.Second)}, {State: engine.Empty}},
		Params:  map[string]any{"rps_per_replica": 20.0},
	}
}

func messages(ms []mistake.Mistake) string {
	lines := make([]string, len(ms))
	for i, m := range ms {
		lines[i] = m.Error()
	}
	return strings.Join(lines, "\n")
}

func problems(e engine.Evaluation) string {
	var b strings.Builder
	for _, p := range e.Problems {
		fmt.Fprintf(&b, "%s: %s\n", p.Strategy, p.Message)
	}
	return b.String()
}

// unchecked is a source without its data, as parse takes it.
func unchecked(src source.Source) *source.Opened {
	return &source.Opened{Source: src, Parts: []*source.Part{{Source: src}}}
}

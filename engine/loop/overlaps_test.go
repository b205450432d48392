package loop

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

func fleetOf(names ...string) []engine.Target {
	var out []engine.Target
	for _, name := range names {
		out = append(out, engine.Target{Kind: "Deployment", Namespace: "ns", Name: name})
	}
	return out
}

var writers = map[string]engine.Verb{
	"scale":        {Claim: func(map[string]any) string { return "replicas" }},
	"autoscaler":   {Claim: func(map[string]any) string { return "replicas" }},
	"traffic":      {Claim: func(map[string]any) string { return "traffic" }},
	"apply":        {Claim: func(map[string]any) string { return "object//" }},
	"workflow.run": {Claim: func(map[string]any) string { return "workflow" }, Transient: true},
	"webhook":      {},
}

func writerSpec(name string, priority int, mode engine.Mode, verbs ...string) *engine.Spec {
	return &engine.Spec{AgentInfo: engine.AgentInfo{Namespace: "ns", Name: name}, Priority: priority, Mode: mode, Primitives: verbs}
}

func TestAgentsThatWriteOneFieldAreFound(t *testing.T) {
	for name, row := range map[string]struct {
		a, b           *engine.Spec
		of, with       []engine.Target
		first, another string
	}{
		"the same field": {writerSpec("a", 0, engine.Enforce, "scale"), writerSpec("b", 0, engine.Enforce, "scale"), fleetOf("web"), fleetOf("api", "web"),
			"ns/b writes replicas of ns/web too: both have spec.priority 0, so who writes first holds the field (guards.hold); give one a higher spec.priority, or other targets",
			"ns/a writes replicas of ns/web too: both have spec.priority 0, so who writes first holds the field (guards.hold); give one a higher spec.priority, or other targets"},
		"by another verb": {writerSpec("a", 1, engine.Enforce, "autoscaler", "traffic"), writerSpec("b", 0, engine.Enforce, "scale", "traffic"), fleetOf("api", "web"), fleetOf("api", "web"),
			"ns/b writes replicas and traffic of 2 targets too, like ns/api: this agent has the higher spec.priority (1 against 0), and wins",
			"ns/a writes replicas and traffic of 2 targets too, like ns/api: it has the higher spec.priority (1 against 0), and wins"},
		"another field":          {writerSpec("a", 0, engine.Enforce, "traffic"), writerSpec("b", 0, engine.Enforce, "scale"), fleetOf("web"), fleetOf("web"), "", ""},
		"other targets":          {writerSpec("a", 0, engine.Enforce, "scale"), writerSpec("b", 0, engine.Enforce, "scale"), fleetOf("web"), fleetOf("api"), "", ""},
		"a dry run":              {writerSpec("a", 0, engine.DryRun, "scale"), writerSpec("b", 0, engine.Enforce, "scale"), fleetOf("web"), fleetOf("web"), "", ""},
		"paused":                 {writerSpec("a", 0, engine.Enforce, "scale"), writerSpec("b", 0, engine.Paused, "scale"), fleetOf("web"), fleetOf("web"), "", ""},
		"fields by parameters":   {writerSpec("a", 0, engine.Enforce, "apply", "workflow.run", "webhook"), writerSpec("b", 0, engine.Enforce, "apply", "workflow.run", "webhook"), fleetOf("web"), fleetOf("web"), "", ""},
		"a verb that is unknown": {writerSpec("a", 0, engine.Enforce, "x"), writerSpec("b", 0, engine.Enforce, "x"), fleetOf("web"), fleetOf("web"), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			now := map[string][]string{}
			o := newOverlaps(writers, func(agent string, found []overlap) { now[agent] = texts(found) })
			o.listed(row.a, row.of)
			o.listed(row.b, row.with)
			want := func(text string) []string {
				if text == "" {
					return nil
				}
				return []string{text}
			}
			require.Equal(t, map[string][]string{"ns/a": want(row.first), "ns/b": want(row.another)}, now)
			o.listed(row.b, nil)
			require.Equal(t, map[string][]string{"ns/a": nil, "ns/b": nil}, now)
			o.listed(row.b, row.with)
			require.Equal(t, want(row.first), now["ns/a"])
			o.drop("ns/b")
			require.Nil(t, now["ns/a"])
			o.drop("ns/a")
			require.Empty(t, o.on)
			require.Empty(t, o.agents)
		})
	}
}

// A firing with the fleet of before tells nobody anything.
func TestOverlapsAreFoundAgainOnlyWhereAFleetChanged(t *testing.T) {
	calls := 0
	o := newOverlaps(writers, func(string, []overlap) { calls++ })
	var fleet []engine.Target
	for i := range 10_000 {
		fleet = append(fleet, fleetOf(fmt.Sprintf("t%05d", i))...)
	}
	for i := range 100 { // each has its own hundredth, and shares one target with the next
		o.listed(writerSpec(fmt.Sprintf("a%02d", i), 0, engine.Enforce, "scale"), fleet[100*i:min(100*i+101, len(fleet))])
	}
	require.Equal(t, 100+99, calls)
	calls = 0
	for i := range 100 {
		o.listed(writerSpec(fmt.Sprintf("a%02d", i), 0, engine.Enforce, "scale"), fleet[100*i:min(100*i+101, len(fleet))])
	}
	require.Zero(t, calls)
	o.listed(writerSpec("all", 0, engine.Enforce, "scale"), fleet)
	require.Equal(t, 101, calls)
}

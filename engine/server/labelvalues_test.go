package server

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/loop"
)

// series counts the series of Scanflow's metrics, a histogram as one.
func series(t *testing.T, m *Metrics) int {
	t.Helper()
	r := prometheus.NewRegistry()
	require.NoError(t, r.Register(m))
	n, err := testutil.GatherAndCount(r)
	require.NoError(t, err)
	return n
}

// The number of series is bounded, whatever policies, events and manifests contain.
func TestFloodsMakeNoSeries(t *testing.T) {
	const many = 28000
	fired := func(m *Metrics, d engine.Decision) {
		m.Fired(engine.FiringRecord{Agent: "ns/a", Trigger: engine.TriggerInfo{Kind: "every"}, Decisions: []engine.Decision{d}})
	}
	for name, row := range map[string]struct {
		flood func(m *Metrics, i int)
		most  int
	}{
		"verbs that are none": {func(m *Metrics, i int) {
			fired(m, engine.Decision{Strategy: "s", Primitive: fmt.Sprint("verb", i), Verdict: engine.Refused, By: engine.ByPrimitives})
		}, 2},
		"verbs over the bounds": {func(m *Metrics, i int) {
			fired(m, engine.Decision{Strategy: "s", Primitive: fmt.Sprint("verb", i), Verdict: engine.Refused, By: engine.ByBounds})
		}, 2},
		"verbs": {func(m *Metrics, i int) {
			fired(m, engine.Decision{Strategy: "s", Primitive: fmt.Sprint("verb", i), Verdict: engine.Admitted})
		}, 101},
		"strategies": {func(m *Metrics, i int) {
			fired(m, engine.Decision{Strategy: fmt.Sprint("s", i), Primitive: "scale", Verdict: engine.Admitted})
		}, 501},
		"guards": {func(m *Metrics, i int) {
			fired(m, engine.Decision{Strategy: "s", Primitive: "scale", Verdict: engine.Refused, By: fmt.Sprint("policy:g", i)})
		}, 202},
		"long and odd words": {func(m *Metrics, i int) {
			odd := strings.Repeat("x", i) + "\xff"
			m.Fired(engine.FiringRecord{Agent: odd, Trigger: engine.TriggerInfo{Kind: odd}, Decisions: []engine.Decision{{Strategy: odd, Primitive: odd, Verdict: engine.Refused, By: "policy:" + odd}}})
		}, 12},
		"triggers": {func(m *Metrics, i int) {
			m.Fired(engine.FiringRecord{Agent: "ns/a", Trigger: engine.TriggerInfo{Kind: fmt.Sprint("k", i)}})
		}, 21},
		"acts": {func(m *Metrics, i int) {
			m.Acted(engine.Act{Intent: engine.Intent{
				Change: engine.Change{Proposal: engine.Proposal{Agent: "ns/a", Strategy: "s", Primitive: fmt.Sprint("v", i)}},
			}, Outcome: engine.Outcome{Status: engine.Done}})
		}, 202},
		"outcomes": {func(m *Metrics, i int) {
			m.Acted(engine.Act{Intent: engine.Intent{
				Change: engine.Change{Proposal: engine.Proposal{Agent: "ns/a", Strategy: "s", Primitive: "v"}},
			}, Outcome: engine.Outcome{Status: engine.Status(fmt.Sprint("o", i))}})
		}, 22},
		"agents that come and go": {func(m *Metrics, i int) {
			m.Fired(engine.FiringRecord{Agent: fmt.Sprint("ns/", i), Trigger: engine.TriggerInfo{Kind: "every"}})
		}, 20 * maxGoneAgents},
	} {
		t.Run(name, func(t *testing.T) {
			m := NewMetrics(Sources{Agents: func() []loop.AgentStatus { return nil }})
			n := many
			if strings.HasPrefix(name, "long") {
				n = 2000
			}
			for i := range n {
				row.flood(m, i)
			}
			require.LessOrEqual(t, series(t, m), row.most+20)
		})
	}
}

func TestAgentsThatRunKeepTheirCounters(t *testing.T) {
	agents := []loop.AgentStatus{{Agent: "ns/stays"}}
	m := NewMetrics(Sources{Agents: func() []loop.AgentStatus { return agents }})
	m.Fired(engine.FiringRecord{Agent: "ns/stays", Trigger: engine.TriggerInfo{Kind: "every"}})
	for i := range 3 * maxGoneAgents {
		m.Fired(engine.FiringRecord{Agent: fmt.Sprint("ns/", i), Trigger: engine.TriggerInfo{Kind: "every"}})
	}
	require.InDelta(t, 1, testutil.ToFloat64(m.firings.WithLabelValues("ns/stays", "every")), 0)
	require.LessOrEqual(t, testutil.CollectAndCount(m, "scanflow_firings_total"), maxGoneAgents+2)
}

package server

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Fired counts a firing.
func (m *Metrics) Fired(f engine.FiringRecord) {
	agent := m.agent(f.Agent)
	m.firings.WithLabelValues(agent, m.labels.value("trigger", f.Trigger.Kind)).Inc()
	m.duration.WithLabelValues(agent).Observe(f.Took.Seconds())
	m.lag.WithLabelValues(agent).Observe(f.Lag.Seconds())
	for _, s := range engine.States {
		m.signals.WithLabelValues(agent, string(s)).Set(float64(f.Signals[s]))
	}
	m.evaluated.WithLabelValues(agent).Set(float64(f.Evaluated))
	m.problems.WithLabelValues(agent).Set(float64(len(f.Problems)))
	for _, d := range f.Decisions {
		verb := other // a policy may write any word; the engine refused one that is no verb of the agent
		if d.By != engine.ByPrimitives && d.By != engine.ByBounds {
			verb = m.labels.value("primitive", d.Primitive)
		}
		m.decisions.WithLabelValues(agent, m.labels.value("strategy", d.Strategy), verb, m.labels.value("verdict", string(d.Verdict))).Inc()
		if d.Verdict == engine.Refused {
			m.refusals.WithLabelValues(agent, m.refusedBy(d.By)).Inc()
		}
	}
}

// Acted counts an act that ended.
func (m *Metrics) Acted(a engine.Act) {
	verb := m.labels.value("primitive", a.Primitive)
	m.acts.WithLabelValues(m.agent(a.Agent), m.labels.value("strategy", a.Strategy), verb, m.labels.value("outcome", string(a.Outcome.Status)), fmt.Sprint(a.DryRun)).Inc()
	m.actDuration.WithLabelValues(verb).Observe(a.EndedAt.Sub(a.At).Seconds())
}

// goneMost is how many agents that are gone keep their counters.
const goneMost = 100

// agent is an agent's label. One that is new may take the place of those that are gone.
func (m *Metrics) agent(name string) string {
	m.mu.Lock()
	known := m.known[name]
	m.mu.Unlock()
	if !known && m.sources.Agents != nil {
		running := map[string]bool{name: true}
		all := m.sources.Agents()
		for _, a := range all {
			running[a.Agent] = true
		}
		if len(all) > 0 { // none are known while the process starts
			m.forget(running)
		}
	}
	label := m.labels.value("agent", name)
	m.mu.Lock()
	m.known[label] = true
	m.mu.Unlock()
	return label
}

// forget drops the gauges of agents that don't run, and their counters once there are
// many of them.
func (m *Metrics) forget(running map[string]bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var gone []string
	for name := range m.known {
		if !running[name] && name != other {
			gone = append(gone, name)
		}
	}
	for _, name := range gone {
		of := prometheus.Labels{"agent": name}
		for _, g := range []*prometheus.GaugeVec{m.signals, m.problems, m.evaluated} {
			g.DeletePartialMatch(of)
		}
		if len(gone) <= goneMost {
			continue
		}
		for _, c := range []*prometheus.CounterVec{m.firings, m.decisions, m.refusals, m.acts} {
			c.DeletePartialMatch(of)
		}
		for _, h := range []*prometheus.HistogramVec{m.duration, m.lag} {
			h.DeletePartialMatch(of)
		}
		delete(m.known, name)
		m.labels.forget("agent", name)
	}
}

package server

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Fired counts a firing.
func (m *Metrics) Fired(f engine.FiringRecord) {
	agent := m.agentLabel(f.Agent)
	m.firings.WithLabelValues(agent, m.labels.bounded("trigger", f.Trigger.Kind)).Inc()
	m.duration.WithLabelValues(agent).Observe(f.Took.Seconds())
	m.lag.WithLabelValues(agent).Observe(f.Lag.Seconds())
	m.countSignals(agent, f.BySignal)
	m.evaluated.WithLabelValues(agent).Set(float64(f.Evaluated))
	m.evaluations.WithLabelValues(agent).Set(float64(f.Evaluations))
	m.problems.WithLabelValues(agent).Set(float64(len(f.Problems)))
	for _, d := range f.Decisions {
		verb := otherValue // a policy may return any text; the engine refused one that is not a verb of the agent
		if d.By != engine.ByPrimitives && d.By != engine.ByBounds {
			verb = m.labels.bounded("primitive", d.Primitive)
		}
		m.decisions.WithLabelValues(agent, m.labels.bounded("strategy", d.Strategy), verb, m.labels.bounded("verdict", string(d.Verdict))).Inc()
		if d.Verdict == engine.Refused {
			m.refusals.WithLabelValues(agent, m.refusedBy(d.By)).Inc()
		}
	}
}

// countSignals sets the gauges of an agent's signals, and deletes those of signals that it has
// no more.
func (m *Metrics) countSignals(agent string, bySignal map[string]map[engine.State]int) {
	if bySignal == nil { // nothing was sampled
		return
	}
	now := make(map[string]bool, len(bySignal))
	for name, counts := range bySignal {
		label := m.labels.bounded("signal", name)
		now[label] = true
		for _, s := range engine.States {
			m.signals.WithLabelValues(agent, label, string(s)).Set(float64(counts[s]))
		}
	}
	m.mu.Lock()
	before := m.named[agent]
	m.named[agent] = now
	m.mu.Unlock()
	for label := range before {
		if !now[label] {
			m.signals.DeletePartialMatch(prometheus.Labels{"agent": agent, "signal": label})
		}
	}
}

// Acted counts an act that ended.
func (m *Metrics) Acted(a engine.Act) {
	verb := m.labels.bounded("primitive", a.Primitive)
	m.acts.WithLabelValues(m.agentLabel(a.Agent), m.labels.bounded("strategy", a.Strategy), verb, m.labels.bounded("outcome", string(a.Outcome.Status)), fmt.Sprint(a.DryRun)).Inc()
	m.actDuration.WithLabelValues(verb).Observe(a.EndedAt.Sub(a.At).Seconds())
}

// maxGoneAgents bounds the agents that no longer run and keep their counters.
const maxGoneAgents = 100

// agentLabel returns the label of an agent. A new agent may replace those that no longer run.
func (m *Metrics) agentLabel(name string) string {
	m.mu.Lock()
	known := m.known[name]
	m.mu.Unlock()
	if !known && m.sources.Agents != nil {
		running := map[string]bool{name: true}
		all := m.sources.Agents()
		for _, a := range all {
			running[a.Agent] = true
		}
		if len(all) > 0 { // the list is empty while the process starts
			m.forgetGone(running)
		}
	}
	label := m.labels.bounded("agent", name)
	m.mu.Lock()
	m.known[label] = true
	m.mu.Unlock()
	return label
}

// forgetGone deletes the gauges of agents that do not run, and their counters if there are too
// many of them.
func (m *Metrics) forgetGone(running map[string]bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var gone []string
	for name := range m.known {
		if !running[name] && name != otherValue {
			gone = append(gone, name)
		}
	}
	for _, name := range gone {
		of := prometheus.Labels{"agent": name}
		for _, g := range []*prometheus.GaugeVec{m.signals, m.problems, m.evaluated, m.evaluations} {
			g.DeletePartialMatch(of)
		}
		delete(m.named, name)
		if len(gone) <= maxGoneAgents {
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

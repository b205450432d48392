package server

import (
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/loop"
)

// Definition describes a metric for the reference.
type Definition struct {
	Name, Type, Help string
	Labels           []string
}

// Definitions returns the metrics of Scanflow by name, without those of the Go runtime and the
// process (go_*, process_*).
func Definitions() []Definition {
	m := NewMetrics(Sources{})
	out := slices.Clone(m.definitions)
	slices.SortFunc(out, func(a, b Definition) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Sources are read when the metrics are scraped. The metrics of a nil source are left out.
type Sources struct {
	Agents func() []loop.AgentStatus
	Policy func() PolicyStatus
	// Manifests returns the state of reloading manifests and workloads.
	Manifests func() ReloadStatus
	Journal   func() JournalStatus
	// Waiting returns false if the counts are unknown, as on a standby replica.
	Waiting func() (WaitingStatus, bool)
	Cluster func() ClusterStatus
	Version string
}

// ReloadStatus is the state of reloading manifests.
type ReloadStatus struct {
	LastError string
	Successes int
	Failures  int
}

// WaitingStatus counts what waits for an agent, an endpoint or an approval.
type WaitingStatus struct {
	Boxes     engine.QueueDepths
	Approvals int
}

// JournalStatus is the state of the journal.
type JournalStatus struct {
	Bytes int64 `json:"bytes"`
	// Error is why the journal can't be written; "" if it can.
	Error string `json:"error,omitempty"`
}

// Metrics counts what the engine does. It implements engine.Observer and prometheus.Collector.
type Metrics struct {
	definitions []Definition
	collectors  []prometheus.Collector
	sources     Sources

	firings, decisions, refusals, acts        *prometheus.CounterVec
	refused                                   *prometheus.CounterVec
	duration, lag, actDuration                *prometheus.HistogramVec
	signals, problems, evaluated, evaluations *prometheus.GaugeVec
	lastFiring, interval, targets, build      *prometheus.Desc
	journalBytes, journalOK                   *prometheus.Desc
	manifestReloads, manifestOK               *prometheus.Desc
	events, approvals                         *prometheus.Desc
	policy                                    policyMetrics
	cluster                                   clusterMetrics

	labels *labelValues
	mu     sync.Mutex
	known  map[string]bool            // agents that have series
	named  map[string]map[string]bool // by agent, the signals that have series
}

// NewMetrics returns metrics that read the sources when they are scraped.
func NewMetrics(s Sources) *Metrics {
	m := &Metrics{sources: s, known: map[string]bool{}, named: map[string]map[string]bool{}, labels: newLabelValues()}
	seconds := []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	m.firings = m.counter("scanflow_firings_total", "Turns of an agent's loop, by what triggered them.", "agent", "trigger")
	m.duration = m.histogram("scanflow_firing_duration_seconds", "From the trigger taken to the decisions recorded.", seconds, "agent")
	m.lag = m.histogram("scanflow_firing_lag_seconds", "How late a firing began after its trigger was due.", seconds, "agent")
	m.signals = m.gauge("scanflow_signals", "Signals of the last firing, by name and state: how many targets have it so.", "agent", "signal", "state")
	m.evaluated = m.gauge("scanflow_evaluated_targets", "Targets of which the last firing ran a strategy; nothing that they read changed on the others.", "agent")
	m.evaluations = m.gauge("scanflow_strategy_evaluations", "Evaluations of a strategy on a target in the last firing; the other strategies and targets kept the result of their last one.", "agent")
	m.problems = m.gauge("scanflow_firing_problems", "Problems of the last firing: sensors, strategies, targets or the journal failing.", "agent")
	m.decisions = m.counter("scanflow_decisions_total", "Proposals, by what became of them. A refusal that repeats is counted once.", "agent", "strategy", "primitive", "verdict")
	m.refusals = m.counter("scanflow_refusals_total", "Refused proposals, by who refused. One that repeats is counted once.", "agent", "by")
	m.acts = m.counter("scanflow_acts_total", "Acts that ended, by outcome.", "agent", "strategy", "primitive", "outcome", "dry_run")
	m.actDuration = m.histogram("scanflow_act_duration_seconds", "From the admission of an act to its outcome.", seconds, "primitive")

	m.refused = m.counter("scanflow_http_refused_total", "Requests to the API that were refused, by reason.", "reason")
	for _, why := range refusalReasons {
		m.refused.WithLabelValues(string(why))
	}

	m.lastFiring = m.desc("scanflow_agent_last_firing_timestamp_seconds", "gauge", "When the agent last fired; its start, before the first time.", "agent")
	m.interval = m.desc("scanflow_agent_interval_seconds", "gauge", "The agent's shortest interval; absent where it has none.", "agent")
	m.targets = m.desc("scanflow_agent_targets", "gauge", "Targets of the last firing.", "agent", "mode")
	m.policy = newPolicyMetrics(m)
	m.manifestOK = m.desc("scanflow_manifest_last_reload_successful", "gauge", "1 if the last change of manifests or workloads was taken, 0 if the old ones run on.")
	m.manifestReloads = m.desc("scanflow_manifest_reloads_total", "counter", "Changes of manifests and workloads, by result.", "result")
	m.journalBytes = m.desc("scanflow_journal_size_bytes", "gauge", "Size of the journal's files.")
	m.journalOK = m.desc("scanflow_journal_writable", "gauge", "1 if the journal took the last write; 0, and nothing is done, if it did not.")
	m.events = m.desc("scanflow_events", "gauge", "Events that wait in inboxes and in the outbox, and dead letters. Of several replicas, on the one that leads.", "box")
	m.approvals = m.desc("scanflow_approvals_waiting", "gauge", "Proposals that wait for a person. Of several replicas, on the one that leads.")
	m.cluster = newClusterMetrics(m)
	m.build = m.desc("scanflow_build_info", "gauge", "1, with the version.", "version")
	return m
}

// Registry returns a registry with these metrics and those of the Go runtime and the process.
func (m *Metrics) Registry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(m, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

func (m *Metrics) define(name, kind, help string, labels []string) {
	m.definitions = append(m.definitions, Definition{name, kind, help, labels})
}

func (m *Metrics) desc(name, kind, help string, labels ...string) *prometheus.Desc {
	m.define(name, kind, help, labels)
	return prometheus.NewDesc(name, help, labels, nil)
}

func (m *Metrics) counter(name, help string, labels ...string) *prometheus.CounterVec {
	m.define(name, "counter", help, labels)
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	m.collectors = append(m.collectors, c)
	return c
}

func (m *Metrics) gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	m.define(name, "gauge", help, labels)
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	m.collectors = append(m.collectors, g)
	return g
}

func (m *Metrics) histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	m.define(name, "histogram", help, labels)
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	m.collectors = append(m.collectors, h)
	return h
}

// Refused counts a refused request.
func (m *Metrics) Refused(reason string) { m.refused.WithLabelValues(reason).Inc() }

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range m.collectors {
		c.Describe(ch)
	}
	for _, d := range append(append(m.policy.all(), m.cluster.all()...),
		m.lastFiring, m.interval, m.targets, m.build, m.journalBytes, m.journalOK, m.manifestOK, m.manifestReloads, m.events, m.approvals,
	) {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	m.collectAgents(ch)
	for _, c := range m.collectors {
		c.Collect(ch)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	if m.sources.Policy != nil {
		m.policy.collect(m.sources.Policy(), ch)
	}
	if m.sources.Manifests != nil {
		r := m.sources.Manifests()
		gauge(m.manifestOK, boolValue(r.LastError == ""))
		ch <- prometheus.MustNewConstMetric(m.manifestReloads, prometheus.CounterValue, float64(r.Successes), "success")
		ch <- prometheus.MustNewConstMetric(m.manifestReloads, prometheus.CounterValue, float64(r.Failures), "failure")
	}
	if m.sources.Journal != nil {
		j := m.sources.Journal()
		gauge(m.journalBytes, float64(j.Bytes))
		gauge(m.journalOK, boolValue(j.Error == ""))
	}
	if m.sources.Waiting != nil {
		if w, known := m.sources.Waiting(); known {
			gauge(m.events, float64(w.Boxes.Inbox), engine.BoxInbox)
			gauge(m.events, float64(w.Boxes.Outbox), engine.BoxOutbox)
			gauge(m.events, float64(w.Boxes.Dead), engine.BoxDead)
			gauge(m.approvals, float64(w.Approvals))
		}
	}
	if m.sources.Cluster != nil {
		m.cluster.collect(m.sources.Cluster(), func(name string) string { return m.labels.bounded("method", name) }, ch)
	}
	gauge(m.build, 1, m.sources.Version)
}

// collectAgents collects the agents' gauges, and deletes those of agents that no longer run.
func (m *Metrics) collectAgents(ch chan<- prometheus.Metric) {
	if m.sources.Agents == nil {
		return
	}
	running := map[string]bool{}
	for _, a := range m.sources.Agents() {
		running[a.Agent] = true
		last := a.LastFiring
		if last.IsZero() {
			last = a.Started
		}
		ch <- prometheus.MustNewConstMetric(m.lastFiring, prometheus.GaugeValue, float64(last.UnixMilli())/1000, a.Agent)
		ch <- prometheus.MustNewConstMetric(m.targets, prometheus.GaugeValue, float64(a.Targets), a.Agent, string(a.Mode))
		if a.Interval > 0 {
			ch <- prometheus.MustNewConstMetric(m.interval, prometheus.GaugeValue, a.Interval.Seconds(), a.Agent)
		}
	}
	m.forgetGone(running)
}

func boolValue(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

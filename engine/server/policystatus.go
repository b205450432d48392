package server

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// PolicyStatus is the state of loading the policies.
type PolicyStatus struct {
	Revision string    `json:"revision"`
	LoadedAt time.Time `json:"loaded_at"`
	// Trying is the start of the current attempt to load them; nil if there is none.
	Trying *time.Time `json:"trying_since,omitempty"`
	// LastAttempt is the time of the last attempt, and LastError its error; "" if it
	// succeeded.
	LastAttempt time.Time `json:"last_attempt"`
	LastError   string    `json:"last_error,omitempty"`
	Successes   int       `json:"successes"`
	Failures    int       `json:"failures"`
	// Guards are the guards of the live revision.
	Guards []BoundGuard `json:"guards"`
	// Quarantine has the strategies and guards of the live revision that are not evaluated.
	Quarantine []Quarantined `json:"quarantine,omitempty"`
}

// BoundGuard is an active guard.
type BoundGuard struct {
	Name string `json:"name"` // its package, without "scanflow.guards."
	// From is "shipped", or the folder, the bundle or the URL of the guard.
	From string `json:"from"`
	// Verbs and Agents are those that it binds; absent where it binds all.
	Verbs  []string `json:"verbs,omitempty"`
	Agents []string `json:"agents,omitempty"`
}

// Quarantined is a strategy or a guard that is not evaluated.
type Quarantined struct {
	Kind   string    `json:"kind"` // strategy or guard
	Name   string    `json:"name"`
	At     time.Time `json:"at"`
	Target string    `json:"target"` // namespace/name
	Place  string    `json:"place,omitempty"`
	Why    string    `json:"why"`
}

// policyMetrics are the metrics of a PolicyStatus.
type policyMetrics struct {
	revision, loaded, attempted, reloads, reloadOK *prometheus.Desc
	trying, tryingSince, quarantined               *prometheus.Desc
}

func newPolicyMetrics(m *Metrics) policyMetrics {
	return policyMetrics{
		revision:    m.desc("scanflow_policy_revision_info", "gauge", "1, with the live revision of the policies.", "revision"),
		loaded:      m.desc("scanflow_policy_loaded_timestamp_seconds", "gauge", "When the live revision was taken."),
		attempted:   m.desc("scanflow_policy_last_attempt_timestamp_seconds", "gauge", "When a change of the policies was last tried."),
		reloadOK:    m.desc("scanflow_policy_last_reload_successful", "gauge", "1 if the last change of the policies was taken, 0 if the old ones were kept."),
		reloads:     m.desc("scanflow_policy_reloads_total", "counter", "Changes of the policies, by result.", "result"),
		trying:      m.desc("scanflow_policy_reload_in_progress", "gauge", "1 while a change of the policies is being tried."),
		tryingSince: m.desc("scanflow_policy_reload_started_timestamp_seconds", "gauge", "Since when a change of the policies is being tried; absent while none is."),
		quarantined: m.desc("scanflow_policy_quarantined", "gauge", "1 for each strategy and guard of the live revision that is not asked, because it took the process down or would have.", "kind", "name"),
	}
}

func (p *policyMetrics) all() []*prometheus.Desc {
	return []*prometheus.Desc{p.revision, p.loaded, p.attempted, p.reloads, p.reloadOK, p.trying, p.tryingSince, p.quarantined}
}

func (p *policyMetrics) collect(s PolicyStatus, ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(p.revision, 1, s.Revision)
	gauge(p.loaded, float64(s.LoadedAt.UnixMilli())/1000)
	gauge(p.attempted, float64(s.LastAttempt.UnixMilli())/1000)
	gauge(p.reloadOK, boolValue(s.LastError == ""))
	ch <- prometheus.MustNewConstMetric(p.reloads, prometheus.CounterValue, float64(s.Successes), "success")
	ch <- prometheus.MustNewConstMetric(p.reloads, prometheus.CounterValue, float64(s.Failures), "failure")
	gauge(p.trying, boolValue(s.Trying != nil))
	if s.Trying != nil {
		gauge(p.tryingSince, float64(s.Trying.UnixMilli())/1000)
	}
	for _, q := range s.Quarantine {
		gauge(p.quarantined, 1, q.Kind, q.Name)
	}
}

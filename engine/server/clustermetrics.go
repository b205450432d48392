package server

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// ClusterStatus is the state of a process on Kubernetes.
type ClusterStatus struct {
	// Install is NAMESPACE/NAME of the installation.
	Install string
	// Shard is this process's part of the targets, and Shards the number of parts.
	Shard, Shards int
	Leading       bool
	// Lease is nil where this process takes part in no election.
	Lease *LeaseStatus
	// Requests counts requests to the API server, except for watches, by HTTP method.
	Requests map[string]int64
}

// LeaseStatus is an election as this process sees it. Its durations are measured by the
// monotonic clock: the clocks of the holder, of this process and of Prometheus are not compared.
type LeaseStatus struct {
	RenewalAge, Duration time.Duration
	// Failing has each reason for which requests for the lease fail, with how long they have failed
	// if it is the present one, and 0 otherwise.
	Failing map[string]time.Duration
	// Conflict reports whether the holder serves another scope.
	Conflict bool
}

// clusterMetrics are the metrics of a process on Kubernetes. The labels install and shard are
// those of the Lease: rules group by them, as one Prometheus may scrape several installations.
type clusterMetrics struct {
	leader, shards, requests                     *prometheus.Desc
	renewalAge, leaseDuration, failing, conflict *prometheus.Desc
}

func newClusterMetrics(m *Metrics) clusterMetrics {
	return clusterMetrics{
		leader:        m.desc("scanflow_leader", "gauge", "1 while this process leads its installation's shard, 0 while it stands by. Only with --kubernetes.", "install", "shard"),
		shards:        m.desc("scanflow_shards", "gauge", "Parts that the installation's targets are shared out to. Only with --kubernetes.", "install"),
		requests:      m.desc("scanflow_kubernetes_requests_total", "counter", "Requests sent to the Kubernetes API server, watches and the Lease apart. Only with --kubernetes.", "method"),
		renewalAge:    m.desc("scanflow_lease_renewal_age_seconds", "gauge", "Time since this process saw the Lease renewed, by its own clock; since its start, before it has seen that. Only with --kubernetes.", "install", "shard"),
		leaseDuration: m.desc("scanflow_lease_duration_seconds", "gauge", "Time after which a leader that does not renew the Lease is replaced. Only with --kubernetes.", "install", "shard"),
		failing:       m.desc("scanflow_lease_failing_seconds", "gauge", "Time since which this process can't read, take or renew the Lease, at the present reason; 0 at the others, and at all while it can. Only with --kubernetes.", "install", "shard", "reason"),
		conflict:      m.desc("scanflow_lease_conflict", "gauge", "1 while the Lease is held by a process that serves another namespace, other agents or another shard. Only with --kubernetes.", "install", "shard"),
	}
}

func (c clusterMetrics) all() []*prometheus.Desc {
	return []*prometheus.Desc{c.leader, c.shards, c.requests, c.renewalAge, c.leaseDuration, c.failing, c.conflict}
}

func (c clusterMetrics) collect(s ClusterStatus, method func(string) string, ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	shard := strconv.Itoa(s.Shard)
	gauge(c.leader, boolValue(s.Leading), s.Install, shard)
	gauge(c.shards, float64(s.Shards), s.Install)
	for name, n := range s.Requests {
		ch <- prometheus.MustNewConstMetric(c.requests, prometheus.CounterValue, float64(n), method(name))
	}
	if s.Lease == nil {
		return
	}
	gauge(c.renewalAge, s.Lease.RenewalAge.Seconds(), s.Install, shard)
	gauge(c.leaseDuration, s.Lease.Duration.Seconds(), s.Install, shard)
	gauge(c.conflict, boolValue(s.Lease.Conflict), s.Install, shard)
	for reason, since := range s.Lease.Failing {
		gauge(c.failing, since.Seconds(), s.Install, shard, reason)
	}
}

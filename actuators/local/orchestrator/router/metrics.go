package router

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Definition is one metric, for a reference.
type Definition struct {
	Name, Type, Help string
	Labels           []string
}

// wayLabels name a way in; backend is the Service that was chosen for the request, ""
// where the weights choose none.
var wayLabels = []string{"kind", "namespace", "name", "port", "backend"}

// Definitions are the metrics that a Router collects.
func Definitions() []Definition {
	return []Definition{
		{"scanflow_router_requests_in_flight", "gauge", "Requests of a Service or HTTPRoute that are being answered, by the Service that was chosen for them.", wayLabels},
		{"scanflow_router_requests_total", "counter", "Requests that arrived at a Service or HTTPRoute, by the Service that was chosen for them. Counted on arrival, also where no pod is ready.", wayLabels},
		{"scanflow_router_responses_total", "counter", "Requests that ended, by the status of the answer: 503 also where no pod was ready, 502 where one did not answer, 499 where the client left first.", append(slices.Clone(wayLabels), "code")},
	}
}

// series are the counters of a router, by way in and backend.
type series struct {
	mu   sync.RWMutex
	kept map[Way]map[string]bool // the backends of each way in that are counted

	inFlight  *prometheus.GaugeVec
	requests  *prometheus.CounterVec
	responses *prometheus.CounterVec
}

func newSeries() *series {
	d := Definitions()
	return &series{
		kept:      map[Way]map[string]bool{},
		inFlight:  prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: d[0].Name, Help: d[0].Help}, d[0].Labels),
		requests:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: d[1].Name, Help: d[1].Help}, d[1].Labels),
		responses: prometheus.NewCounterVec(prometheus.CounterOpts{Name: d[2].Name, Help: d[2].Help}, d[2].Labels),
	}
}

// counts are the series of one way in and backend. They are there, at 0, from the start,
// so that the first request already is an increase.
type counts struct {
	inFlight prometheus.Gauge
	requests prometheus.Counter
	answered func(code int)
}

func (w Way) labels() prometheus.Labels {
	return prometheus.Labels{"kind": w.Kind, "namespace": w.Namespace, "name": w.Name, "port": strconv.Itoa(int(w.Port))}
}

// of gives the series of a way in and a backend that are kept. What outlives them is
// counted nowhere: it would make series that nobody drops.
func (s *series) of(w Way, backend string) *counts {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !s.kept[w][backend] {
		return &counts{inFlight: prometheus.NewGauge(prometheus.GaugeOpts{}), requests: prometheus.NewCounter(prometheus.CounterOpts{}), answered: func(int) {}}
	}
	of := w.labels()
	of["backend"] = backend
	responses := s.responses.MustCurryWith(of)
	return &counts{inFlight: s.inFlight.With(of), requests: s.requests.With(of), answered: func(code int) {
		s.mu.RLock()
		defer s.mu.RUnlock()
		if s.kept[w][backend] {
			responses.WithLabelValues(strconv.Itoa(code)).Inc()
		}
	}}
}

// keep has a way in counted from now on, by these backends and by none.
func (s *series) keep(w Way, backends ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept[w] == nil {
		s.kept[w] = map[string]bool{"": true}
	}
	for _, backend := range backends {
		s.kept[w][backend] = true
	}
}

// only drops the series of what is no more: ways in, and backends that one no longer names.
func (s *series) only(backends map[Way][]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w, kept := range s.kept {
		now, there := backends[w]
		if !there {
			delete(s.kept, w)
			s.drop(w.labels())
			continue
		}
		for backend := range kept {
			if backend != "" && !slices.Contains(now, backend) {
				delete(kept, backend)
				gone := w.labels()
				gone["backend"] = backend
				s.drop(gone)
			}
		}
	}
}

// drop is for one that holds mu.
func (s *series) drop(labels prometheus.Labels) {
	for _, v := range []interface {
		DeletePartialMatch(prometheus.Labels) int
	}{s.inFlight, s.requests, s.responses} {
		v.DeletePartialMatch(labels)
	}
}

// Describe implements prometheus.Collector.
func (r *Router) Describe(ch chan<- *prometheus.Desc) {
	r.series.inFlight.Describe(ch)
	r.series.requests.Describe(ch)
	r.series.responses.Describe(ch)
}

// Collect implements prometheus.Collector.
func (r *Router) Collect(ch chan<- prometheus.Metric) {
	r.series.inFlight.Collect(ch)
	r.series.requests.Collect(ch)
	r.series.responses.Collect(ch)
}

// Metrics counts the requests of one way in since it was made.
type Metrics struct {
	Way
	Address  string // host:port where it listens
	Requests int64
	// Errors are the answers with a status of 500 or more, the router's own included.
	Errors   int64
	InFlight int64
}

// Metrics are the counters of every way in, in a fixed order.
func (r *Router) Metrics() []Metrics {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Metrics
	for _, f := range slices.SortedFunc(maps.Values(r.fronts), func(a, b *front) int {
		return cmp.Or(cmp.Compare(a.way.Kind, b.way.Kind), cmp.Compare(a.way.Namespace, b.way.Namespace),
			cmp.Compare(a.way.Name, b.way.Name), cmp.Compare(a.way.Port, b.way.Port))
	}) {
		out = append(out, Metrics{Way: f.way, Address: f.address, Requests: f.requests.Load(), Errors: f.errors.Load(), InFlight: f.inFlight.Load()})
	}
	return out
}

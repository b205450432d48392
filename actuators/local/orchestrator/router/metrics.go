package router

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Definition describes a metric for the reference documentation.
type Definition struct {
	Name, Type, Help string
	Labels           []string
}

// frontendLabels identify a frontend; backend is the Service that was chosen for the
// request, "" if all weights are 0.
var frontendLabels = []string{"kind", "namespace", "name", "port", "backend"}

// Definitions returns the metrics that a Router collects.
func Definitions() []Definition {
	return []Definition{
		{"scanflow_router_requests_in_flight", "gauge", "Requests of a Service or HTTPRoute that are being answered, by the Service that was chosen for them.", frontendLabels},
		{"scanflow_router_requests_total", "counter", "Requests that arrived at a Service or HTTPRoute, by the Service that was chosen for them. Counted on arrival, also where no pod is ready.", frontendLabels},
		{"scanflow_router_responses_total", "counter", "Requests that ended, by the status of the answer: 503 also where no pod was ready, 502 where one did not answer, 499 where the client left first.", append(slices.Clone(frontendLabels), "code")},
	}
}

// requestMetrics are the metrics of a router, by frontend and backend.
type requestMetrics struct {
	mu      sync.RWMutex
	tracked map[FrontendID]map[string]bool // the backends of each frontend that have series

	inFlight  *prometheus.GaugeVec
	requests  *prometheus.CounterVec
	responses *prometheus.CounterVec
}

func newRequestMetrics() *requestMetrics {
	d := Definitions()
	return &requestMetrics{
		tracked:   map[FrontendID]map[string]bool{},
		inFlight:  prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: d[0].Name, Help: d[0].Help}, d[0].Labels),
		requests:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: d[1].Name, Help: d[1].Help}, d[1].Labels),
		responses: prometheus.NewCounterVec(prometheus.CounterOpts{Name: d[2].Name, Help: d[2].Help}, d[2].Labels),
	}
}

// counters are the series of one frontend and backend. They are created at 0, so that the
// first request is an increase.
type counters struct {
	inFlight  prometheus.Gauge
	requests  prometheus.Counter
	responded func(code int)
}

func (id FrontendID) labels() prometheus.Labels {
	return prometheus.Labels{"kind": id.Kind, "namespace": id.Namespace, "name": id.Name, "port": strconv.Itoa(int(id.Port))}
}

// counters returns the series of a tracked frontend and backend. For any other it returns
// counters that aren't collected: a request that outlives its route must not create
// series again.
func (s *requestMetrics) counters(id FrontendID, backend string) *counters {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !s.tracked[id][backend] {
		return &counters{inFlight: prometheus.NewGauge(prometheus.GaugeOpts{}), requests: prometheus.NewCounter(prometheus.CounterOpts{}), responded: func(int) {}}
	}
	labels := id.labels()
	labels["backend"] = backend
	responses := s.responses.MustCurryWith(labels)
	return &counters{inFlight: s.inFlight.With(labels), requests: s.requests.With(labels), responded: func(code int) {
		s.mu.RLock()
		defer s.mu.RUnlock()
		if s.tracked[id][backend] {
			responses.WithLabelValues(strconv.Itoa(code)).Inc()
		}
	}}
}

// track starts counting the requests of a frontend to these backends, and to none.
func (s *requestMetrics) track(id FrontendID, backends ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tracked[id] == nil {
		s.tracked[id] = map[string]bool{"": true}
	}
	for _, backend := range backends {
		s.tracked[id][backend] = true
	}
}

// retain deletes the series of all other frontends and backends.
func (s *requestMetrics) retain(backends map[FrontendID][]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, tracked := range s.tracked {
		names, exists := backends[id]
		if !exists {
			delete(s.tracked, id)
			s.delete(id.labels())
			continue
		}
		for backend := range tracked {
			if backend != "" && !slices.Contains(names, backend) {
				delete(tracked, backend)
				labels := id.labels()
				labels["backend"] = backend
				s.delete(labels)
			}
		}
	}
}

// delete deletes series. mu is held.
func (s *requestMetrics) delete(labels prometheus.Labels) {
	for _, v := range []interface {
		DeletePartialMatch(prometheus.Labels) int
	}{s.inFlight, s.requests, s.responses} {
		v.DeletePartialMatch(labels)
	}
}

// Describe implements prometheus.Collector.
func (r *Router) Describe(ch chan<- *prometheus.Desc) {
	r.metrics.inFlight.Describe(ch)
	r.metrics.requests.Describe(ch)
	r.metrics.responses.Describe(ch)
}

// Collect implements prometheus.Collector.
func (r *Router) Collect(ch chan<- prometheus.Metric) {
	r.metrics.inFlight.Collect(ch)
	r.metrics.requests.Collect(ch)
	r.metrics.responses.Collect(ch)
}

// Metrics are the counters of one frontend since it was created.
type Metrics struct {
	FrontendID
	Address  string // host:port
	Requests int64
	// Errors counts the responses with a status of 500 or more, the router's own included.
	Errors   int64
	InFlight int64
}

// Metrics returns the counters of every frontend in a fixed order.
func (r *Router) Metrics() []Metrics {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Metrics
	for _, f := range slices.SortedFunc(maps.Values(r.frontends), func(a, b *frontend) int {
		return cmp.Or(cmp.Compare(a.id.Kind, b.id.Kind), cmp.Compare(a.id.Namespace, b.id.Namespace),
			cmp.Compare(a.id.Name, b.id.Name), cmp.Compare(a.id.Port, b.id.Port))
	}) {
		out = append(out, Metrics{FrontendID: f.id, Address: f.address, Requests: f.requests.Load(), Errors: f.errors.Load(), InFlight: f.inFlight.Load()})
	}
	return out
}

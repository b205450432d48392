package server

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// metrics are the server's Prometheus metrics. They lack the labels namespace, deployment
// and pod, which are labels of the scraped target. Probes and scrapes are not counted:
// the request rate is that of clients.
type metrics struct {
	registry  *prometheus.Registry
	requests  *prometheus.CounterVec
	responses *prometheus.CounterVec
	duration  *prometheus.HistogramVec
	inFlight  prometheus.Gauge
}

func newMetrics(o Options, q *queue, b *busy) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "http_requests_total",
			Help: "Requests of clients, by path, counted as they arrive: the load, whether or not it can be served. Probes and scrapes are not counted.",
		}, []string{"path"}),
		responses: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "http_responses_total",
			Help: "Requests of clients that have ended, by path and status; 499 is a client that went away first.",
		}, []string{"path", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "http_request_duration_seconds",
			Help:    "From a request's arrival to its reply, the wait in the queue included; refusals are in it.",
			Buckets: []float64{.025, .05, .1, .15, .2, .25, .3, .35, .4, .5, .6, .75, 1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10, 15, 20},
		}, []string{"path"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "http_requests_in_flight",
			Help: "Requests of clients now read, waiting, worked on or answered.",
		}),
	}
	gauge := func(name, help string, value float64) prometheus.Collector {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
		g.Set(value)
		return g
	}
	cores := o.CPU.Cores()
	if cores == 0 {
		cores = float64(o.Threads)
	}
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "classifier_model_info", Help: "The model in service; always 1."}, []string{"model"})
	info.WithLabelValues(string(o.Model)).Set(1)
	// Initialize the series; otherwise rate() misses the first request.
	m.requests.WithLabelValues(predictPath)
	m.responses.WithLabelValues(predictPath, "200")
	m.responses.WithLabelValues(predictPath, "503")
	m.duration.WithLabelValues(predictPath)
	m.registry.MustRegister(m.requests, m.responses, m.duration, m.inFlight, info,
		gauge("classifier_queue_capacity", "Requests that may wait for a thread before others get 503.", float64(o.Queue)),
		gauge("classifier_cpu_share", "Cores that the server may use: its share, or without one a core for each thread.", cores),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "classifier_queue_length", Help: "Requests that wait for a thread."},
			func() float64 { return float64(q.waiting.Load()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "classifier_busy_seconds_total",
			Help: "CPU time that the process used while it worked images; its rate through classifier_cpu_share is the busy share.",
		}, b.seconds),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewGoCollector())
	return m
}

func (m *metrics) ended(path string, code int, took time.Duration) {
	m.responses.WithLabelValues(path, strconv.Itoa(code)).Inc()
	m.duration.WithLabelValues(path).Observe(took.Seconds())
}

package server

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
)

// metrics are those of the server. Namespace, deployment and pod are
// labels of the scraped target, so they are not here. Probes and scrapes are not
// counted: a request rate means requests of clients.
type metrics struct {
	registry    *prometheus.Registry
	requests    *prometheus.CounterVec
	responses   *prometheus.CounterVec
	duration    *prometheus.HistogramVec
	inFlight    prometheus.Gauge
	predictions [digits.Classes]prometheus.Counter
	right       prometheus.Counter
	wrong       prometheus.Counter
	confidence  prometheus.Histogram
}

func newMetrics(version string, info digits.Info, others []prometheus.Collector) *metrics {
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
			Help:    "From a request's arrival to its reply, the wait for a worker included.",
			Buckets: []float64{.005, .01, .02, .03, .04, .05, .075, .1, .15, .2, .25, .3, .4, .5, .75, 1, 1.5, 2, 3, 5},
		}, []string{"path"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "http_requests_in_flight",
			Help: "Requests for predictions now waiting or worked on.",
		}),
		confidence: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "digits_prediction_confidence",
			Help:    "Probability that the model gave to the class it chose.",
			Buckets: []float64{.3, .4, .5, .6, .7, .8, .9, .95, .99, .999, 1},
		}),
	}
	predictions := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "digits_predictions_total",
		Help: "Images classified, by the digit that the model saw and the model's version.",
	}, []string{"class", "model_version"})
	for class := range m.predictions {
		m.predictions[class] = predictions.WithLabelValues(strconv.Itoa(class), version)
	}
	feedback := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "digits_feedback_total",
		Help: "Images whose digit was told (header " + labelHeader + "), by whether the model saw that digit, and by its version.",
	}, []string{"correct", "model_version"})
	m.right, m.wrong = feedback.WithLabelValues("true", version), feedback.WithLabelValues("false", version)
	model := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "digits_model_info", Help: "The model in service; always 1."}, []string{"version"})
	model.WithLabelValues(version).Set(1)
	accuracy := prometheus.NewGauge(prometheus.GaugeOpts{Name: "digits_model_test_accuracy", Help: "Share of its test set that the model in service got right."})
	accuracy.Set(info.Accuracy)
	// Without an initial 0, rate() would not see the first request of a series.
	m.requests.WithLabelValues(predictPath)
	m.responses.WithLabelValues(predictPath, "200")
	m.duration.WithLabelValues(predictPath)
	m.registry.MustRegister(m.requests, m.responses, m.duration, m.inFlight, m.confidence, predictions, feedback, model, accuracy,
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registry.MustRegister(others...)
	return m
}

func (m *metrics) ended(path string, code int, took time.Duration) {
	m.responses.WithLabelValues(path, strconv.Itoa(code)).Inc()
	m.duration.WithLabelValues(path).Observe(took.Seconds())
}

func (m *metrics) predicted(p digits.Prediction) {
	m.predictions[p.Class].Inc()
	m.confidence.Observe(p.Confidence)
}

// countLabel counts a label that the client sent for an image.
func (m *metrics) countLabel(p digits.Prediction, label int) {
	switch label {
	case digits.NoClass:
	case p.Class:
		m.right.Inc()
	default:
		m.wrong.Inc()
	}
}

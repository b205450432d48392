package predictionlog

import "github.com/prometheus/client_golang/prometheus"

// metrics are those of the log.
type metrics struct {
	written, dropped, retries prometheus.Counter
}

func newMetrics() metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	return metrics{
		written: counter("digits_predictions_logged_total", "Predictions that are in the tracker."),
		dropped: counter("digits_predictions_dropped_total", "Predictions that were served and are not in the tracker: it took too long, or refused them."),
		retries: counter("digits_predictions_log_retries_total", "Times that the tracker did not take a batch, which was then offered again."),
	}
}

// Collectors returns the log's metrics, to be registered with the server's.
func (l *Log) Collectors() []prometheus.Collector {
	return []prometheus.Collector{l.metrics.written, l.metrics.dropped, l.metrics.retries}
}

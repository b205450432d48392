package demo

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/prometheus/client_golang/api"
	prometheus "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
)

// accuracyQuery is the share of correct predictions in the last seconds.
const accuracyQuery = `sum(increase(digits_feedback_total{correct="true"}[3s])) / sum(increase(digits_feedback_total[3s]))`

// liveAccuracy records that share over the run.
type liveAccuracy struct {
	url    string
	start  time.Time
	mu     sync.Mutex
	points []plot.Point
}

// follow queries it each second until the context ends.
func (l *liveAccuracy) follow(ctx context.Context) {
	client, err := api.NewClient(api.Config{Address: l.url})
	if err != nil { // never: the address is our own
		return
	}
	ask := prometheus.NewAPI(client)
	for at := time.Now(); waitUntil(ctx, at); at = at.Add(time.Second) {
		v := math.NaN()
		answer, _, _, err := ask.Query(ctx, accuracyQuery, time.Now())
		if vector, is := answer.(model.Vector); err == nil && is && len(vector) == 1 {
			v = 100 * float64(vector[0].Value)
		}
		l.mu.Lock()
		l.points = append(l.points, plot.Point{At: time.Since(l.start), Value: v})
		l.mu.Unlock()
	}
}

func (l *liveAccuracy) list() []plot.Point {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]plot.Point{}, l.points...)
}

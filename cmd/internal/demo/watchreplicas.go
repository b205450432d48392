package demo

import (
	"context"
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine"
)

// replicaLog is how many replicas were ready, at each change, since the load began.
type replicaLog struct {
	mu     sync.Mutex
	points []plot.Point
}

// follow notes the ready replicas whenever they change, until the context ends.
func (l *replicaLog) follow(ctx context.Context, local *orchestrator.Orchestrator, id engine.TargetID, start time.Time) {
	for {
		changed := local.Changed()
		w, _ := local.Workload(id)
		l.mu.Lock()
		if n := len(l.points); n == 0 || l.points[n-1].Value != float64(w.Ready) {
			l.points = append(l.points, plot.Point{At: time.Since(start), Value: float64(w.Ready)})
		}
		l.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

func (l *replicaLog) list() []plot.Point {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]plot.Point{}, l.points...)
}

// between is the number at the beginning and the end of a stretch, with the least
// and the most within it.
func between(points []plot.Point, from, to time.Duration) (first, last, least, most int) {
	started := false
	for _, p := range points {
		if p.At > to {
			break
		}
		v := int(p.Value)
		if p.At <= from || !started {
			first, least, most = v, v, v
			started = true
		}
		last, least, most = v, min(least, v), max(most, v)
	}
	return first, last, least, most
}

package demo

import (
	"context"
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine"
)

// replicaHistory records the number of ready replicas at each change, since the load began.
type replicaHistory struct {
	mu     sync.Mutex
	points []plot.Point
}

// follow records changes until the context ends.
func (l *replicaHistory) follow(ctx context.Context, local *orchestrator.Orchestrator, id engine.TargetID, start time.Time) {
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

func (l *replicaHistory) list() []plot.Point {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]plot.Point{}, l.points...)
}

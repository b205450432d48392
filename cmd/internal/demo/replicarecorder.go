package demo

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
)

// pollInterval is the interval of reading the state of the workloads.
const pollInterval = 100 * time.Millisecond

// replicaRecorder records the replicas of each service over the run.
type replicaRecorder struct {
	start time.Time
	mu    sync.Mutex
	ready map[string][]plot.Point
	// desired are the requested replicas, which cost resources.
	desired map[string][]plot.Point
}

func newReplicaRecorder(start time.Time) *replicaRecorder {
	return &replicaRecorder{start: start, ready: map[string][]plot.Point{}, desired: map[string][]plot.Point{}}
}

// follow records each change until the context ends.
func (r *replicaRecorder) follow(ctx context.Context, tb *testbed) {
	for {
		for _, name := range tb.study.services {
			w, known := tb.platform.orchestrator().Workload(tb.study.id(name))
			if known {
				r.record(r.ready, name, w.Ready)
				r.record(r.desired, name, w.Desired)
			}
		}
		if !waitUntil(ctx, time.Now().Add(pollInterval)) {
			return
		}
	}
}

// restart resets the time to 0. The last values become those of the beginning.
func (r *replicaRecorder) restart(start time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.start = start
	for _, lines := range []map[string][]plot.Point{r.ready, r.desired} {
		for name, points := range lines {
			if n := len(points); n > 0 {
				lines[name] = []plot.Point{{Value: points[n-1].Value}}
			}
		}
	}
}

func (r *replicaRecorder) record(in map[string][]plot.Point, name string, value int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := time.Since(r.start)
	if n := len(in[name]); n == 0 || in[name][n-1].Value != float64(value) {
		in[name] = append(in[name], plot.Point{At: at, Value: float64(value)})
	}
}

func (r *replicaRecorder) readyOf(name string) []plot.Point {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ready[name])
}

func (r *replicaRecorder) desiredOf(name string) []plot.Point {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.desired[name])
}

package demo

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
)

// observeEvery is how often the platform is asked how the workloads stand.
const observeEvery = 100 * time.Millisecond

// recorder keeps how many replicas each service had over the run.
type recorder struct {
	start time.Time
	mu    sync.Mutex
	ready map[string][]plot.Point
	// desired are the replicas that were asked for, and paid for.
	desired map[string][]plot.Point
}

func newRecorder(start time.Time) *recorder {
	return &recorder{start: start, ready: map[string][]plot.Point{}, desired: map[string][]plot.Point{}}
}

// follow notes each change until the context ends.
func (r *recorder) follow(ctx context.Context, tb *testbed) {
	for {
		for _, name := range tb.study.services {
			w, known := tb.platform.orchestrator().Workload(tb.study.id(name))
			if known {
				r.note(r.ready, name, w.Ready)
				r.note(r.desired, name, w.Desired)
			}
		}
		if !waitUntil(ctx, time.Now().Add(observeEvery)) {
			return
		}
	}
}

// restart has the time begin anew: what was noted before counts as the beginning's.
func (r *recorder) restart(start time.Time) {
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

func (r *recorder) note(in map[string][]plot.Point, name string, value int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := time.Since(r.start)
	if n := len(in[name]); n == 0 || in[name][n-1].Value != float64(value) {
		in[name] = append(in[name], plot.Point{At: at, Value: float64(value)})
	}
}

func (r *recorder) readyOf(name string) []plot.Point {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ready[name])
}

func (r *recorder) desiredOf(name string) []plot.Point {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.desired[name])
}

// area is the sum of a step line's value times the seconds that it had it, from one
// time up to another: replica-seconds, of a line of replicas.
func area(points []plot.Point, from, to time.Duration) float64 {
	sum := 0.0
	for i, p := range points {
		end := to
		if i+1 < len(points) {
			end = min(to, points[i+1].At)
		}
		if begin := max(from, p.At); end > begin {
			sum += p.Value * (end - begin).Seconds()
		}
	}
	return sum
}

// turnsOf counts how often a step line turns from up to down or from down to up.
func turnsOf(points []plot.Point) int {
	n, last := 0, 0.0
	for i := 1; i < len(points); i++ {
		step := points[i].Value - points[i-1].Value
		if step*last < 0 {
			n++
		}
		if step != 0 {
			last = step
		}
	}
	return n
}

// valueAt is a step line's value at a time; 0 before its first point.
func valueAt(points []plot.Point, at time.Duration) int {
	v := 0.0
	for _, p := range points {
		if p.At > at {
			break
		}
		v = p.Value
	}
	return int(v)
}

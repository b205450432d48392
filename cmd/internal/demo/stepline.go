package demo

import (
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
)

// integrate returns the integral of a step line over an interval: the replica-seconds of a
// line of replicas.
func integrate(points []plot.Point, from, to time.Duration) float64 {
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

// countTurns counts the direction changes of a step line.
func countTurns(points []plot.Point) int {
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

// replicasBetween returns the first and last value of a step line in an interval, and the
// minimum and maximum.
func replicasBetween(points []plot.Point, from, to time.Duration) (first, last, least, most int) {
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

package tracker

import (
	"fmt"
	"sync/atomic"
	"testing"
)

// BenchmarkLogBatch logs a durable batch of ten metrics, from several clients with -cpu.
func BenchmarkLogBatch(b *testing.B) {
	c, _ := start(b)
	run := c.run("0")
	points := make([]any, 10)
	var step atomic.Int64
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			n := step.Add(1)
			mine := make([]any, len(points))
			for i := range mine {
				mine[i] = object{"key": fmt.Sprint("m", i), "value": n, "timestamp": n, "step": n}
			}
			if err := quick(c.base, post, api+"/runs/log-batch", object{"run_id": run, "metrics": mine}, nil); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkSearchRuns finds the best 10 of 5,000 runs by a metric.
func BenchmarkSearchRuns(b *testing.B) {
	c, _ := start(b)
	for i := range 5000 {
		run := c.run("0")
		c.post("/runs/log-batch", object{"run_id": run, "metrics": listOf(object{"key": "accuracy", "value": i % 997, "timestamp": 1}), "params": listOf(object{"key": "depth", "value": fmt.Sprint(i % 7)})})
	}
	search := object{"experiment_ids": listOf("0"), "filter": "metrics.accuracy > 100 AND params.depth = '3'", "order_by": listOf("metrics.accuracy DESC"), "max_results": 10}
	b.ResetTimer()
	for b.Loop() {
		c.post("/runs/search", search)
	}
}

package sensors_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/sensors"
	"github.com/scanflow-k8s/scanflow/sensors/promengine"
)

// BenchmarkFleet measures the sampling of one tick: five Prometheus sensors, in parallel, for
// ten thousand targets, from a real engine over loopback.
func BenchmarkFleet(b *testing.B) {
	const targets = 10_000
	metrics := []string{"load", "latency", "errors", "queue", "ready"}
	fleet := make([]engine.Target, targets)
	var samples []promengine.Sample
	for i := range fleet {
		fleet[i] = target(fmt.Sprintf("team-%d", i%50), fmt.Sprintf("model-%d", i))
		for m, metric := range metrics {
			samples = append(samples, one(metric, now, float64(i)+float64(m)/7, "namespace", fleet[i].Namespace, "deployment", fleet[i].Name))
		}
	}
	address, queries := prom(b, samples...)
	var list []engine.Sensor
	for _, metric := range metrics {
		list = append(list, build(b, "prometheus", &sensors.PrometheusConfig{
			Query: "sum by (namespace, deployment) (" + metric + ")",
			Match: map[string]string{"namespace": "namespace", "deployment": "name"},
		}, sensors.Env{Prometheus: address, StaleAfter: 30 * time.Second}))
	}
	before := queries.Load()
	b.ReportAllocs()
	for b.Loop() {
		var wait sync.WaitGroup
		for _, s := range list {
			wait.Go(func() {
				got, err := s.Sample(context.Background(), now, fleet)
				if err != nil || got[targets-1].State != engine.OK {
					b.Errorf("%v", err)
				}
			})
		}
		wait.Wait()
	}
	require.Equal(b, int64(b.N*len(metrics)), queries.Load()-before)
	b.ReportMetric(float64(len(metrics)), "queries/op")
}

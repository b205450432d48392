package main

import (
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkKubernetesRequests counts what an act costs the API server, by kind of request: of
// 100 Deployments that are scaled in one turn, and of single ones some seconds apart.
func BenchmarkKubernetesRequests(b *testing.B) {
	const bulk, alone = 100, 5
	for range b.N {
		f := newFleetBench(b, bulk, 1, 2)
		f.through = newRequestRecorder(b, f.cluster)
		f.load(15)
		d := f.start("1s")
		require.Eventually(b, func() bool { return d.metric("scanflow_firings_total") >= 3 }, time.Minute, 20*time.Millisecond)
		acts := func(n int) {
			b.Helper()
			require.Eventually(b, func() bool { return d.metricWith("scanflow_acts_total", `outcome="done"`) == float64(n) }, 3*time.Minute, 50*time.Millisecond)
			d.settledMetric("scanflow_kubernetes_requests_total")
		}
		report := func(what string, n int, before map[string]int) {
			total := 0.0
			for _, kind := range slices.Sorted(maps.Keys(f.through.counts(""))) {
				// The Lease is renewed whether anything acts or not.
				if each := float64(f.through.counts("")[kind]-before[kind]) / float64(n); each > 0 && !strings.Contains(kind, "leases") {
					b.Logf("%s: %.2f %s an act", what, each, kind)
					total += each
				}
			}
			b.ReportMetric(total, "requests/act-"+what)
		}
		d.settledMetric("scanflow_kubernetes_requests_total")
		before := f.through.counts("")
		f.load(75)
		acts(bulk)
		report("bulk", bulk, before)
		before = f.through.counts("")
		for i := range alone {
			f.loadOf(f.names[i:i+1], 95)
			acts(bulk + i + 1)
		}
		report("alone", alone, before)
		require.NoError(b, d.cmd.Process.Signal(syscall.SIGTERM))
	}
}

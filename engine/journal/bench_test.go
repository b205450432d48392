package journal

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkQuietFiring writes one row with one sync.
func BenchmarkQuietFiring(b *testing.B) {
	j := open(b, b.TempDir(), Options{})
	for i := 0; b.Loop(); i++ {
		require.NoError(b, j.RecordFiring(context.Background(), firingOf(strconv.Itoa(i), day, 0)))
	}
}

// BenchmarkBusyFiring writes a firing with 100 decisions, each with its own document of 3 KB.
func BenchmarkBusyFiring(b *testing.B) {
	j := open(b, b.TempDir(), Options{})
	i := 0
	for b.Loop() {
		b.StopTimer()
		f := firingOf(strconv.Itoa(i), day, 100)
		i++
		b.StartTimer()
		require.NoError(b, j.RecordFiring(context.Background(), f))
	}
	used, _, err := j.pageUsage(context.Background())
	require.NoError(b, err)
	b.ReportMetric(float64(len(document("x", 1))), "B/document")
	b.ReportMetric(float64(used)/float64(100*i), "B/decision-on-disk")
}

// BenchmarkIntend writes one intent, alone and with others that share its syncs.
func BenchmarkIntend(b *testing.B) {
	for _, callers := range []int{1, 32} {
		b.Run(fmt.Sprint(callers, "-callers"), func(b *testing.B) {
			j := open(b, b.TempDir(), Options{})
			var n, trips atomic.Int64
			report := j.report
			g := make(chan struct{})
			go func() {
				_ = j.writer.do(context.Background(), func(context.Context, *store) error { g <- struct{}{}; <-g; return nil })
			}()
			<-g
			j.writer.report = func(f *FaultError) { trips.Add(1); report(f) }
			g <- struct{}{}
			b.SetParallelism((callers + 1) / 2) // times two cores
			if callers == 1 {
				for b.Loop() {
					require.NoError(b, j.Intend(context.Background(), intent(strconv.FormatInt(n.Add(1), 10), int(n.Load()%1000))))
				}
			} else {
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						i := n.Add(1)
						require.NoError(b, j.Intend(context.Background(), intent(strconv.FormatInt(i, 10), int(i%1000))))
					}
				})
			}
			b.ReportMetric(float64(n.Load())/float64(trips.Load()), "intents/commit")
		})
	}
}

// BenchmarkNextFiring rarely accesses the disk.
func BenchmarkNextFiring(b *testing.B) {
	j := open(b, b.TempDir(), Options{})
	for b.Loop() {
		_, err := j.NextFiring(context.Background())
		require.NoError(b, err)
	}
}

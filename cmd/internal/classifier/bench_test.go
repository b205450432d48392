package classifier

import (
	"testing"
	"time"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

// BenchmarkPredict compares a network with a bare Sgemm of as many operations, that
// takes one core as the network does: 64 rows, 192 columns, and as long as need be.
func BenchmarkPredict(b *testing.B) {
	for _, m := range Models {
		b.Run(string(m), func(b *testing.B) {
			n, err := New(m, 1, nil)
			if err != nil {
				b.Fatal(err)
			}
			s, img := n.NewScratch(), Sample(1)
			const k = 256
			x, y, z := make([]float32, panelRows*k), make([]float32, k*panelColumns), make([]float32, panelRows*panelColumns)
			for i := range x {
				x[i] = 1
			}
			products := int(n.FLOPs() / (2 * k * panelRows * panelColumns))
			var network, bare time.Duration
			for b.Loop() {
				began := time.Now()
				if _, err := n.Predict(s, img, nil); err != nil {
					b.Fatal(err)
				}
				between := time.Now()
				for range products {
					gonum.Implementation{}.Sgemm(blas.NoTrans, blas.NoTrans, panelRows, panelColumns, k, 1, x, k, y, panelColumns, 0, z, panelColumns)
				}
				network, bare = network+between.Sub(began), bare+time.Since(between)
			}
			b.ReportMetric(network.Seconds()*1e3/float64(b.N), "ms/image")
			b.ReportMetric(float64(n.FLOPs())*float64(b.N)/network.Seconds()/1e9, "GFLOP/s")
			b.ReportMetric(network.Seconds()/bare.Seconds(), "x-Sgemm")
			b.ReportMetric(0, "ns/op")
		})
	}
}

package digits

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
)

// net is a network of one hidden layer: 784 pixels, ReLU, 10 classes, softmax.
// Weights are stored input by output, so that a white pixel's row is skipped.
type net struct {
	w1, w2 blas32.General
	b1, b2 []float32
}

func newNet(hidden int) *net {
	return &net{w1: matrix(Pixels, hidden), w2: matrix(hidden, Classes), b1: make([]float32, hidden), b2: make([]float32, Classes)}
}

func matrix(rows, cols int) blas32.General {
	return blas32.General{Rows: rows, Cols: cols, Stride: cols, Data: make([]float32, rows*cols)}
}

// top is the first rows of a matrix.
func top(m blas32.General, rows int) blas32.General {
	m.Rows = rows
	m.Data = m.Data[:rows*m.Stride]
	return m
}

// hidden is the number of hidden units.
func (n *net) hidden() int { return len(n.b1) }

// weights is every weight of the network, in the order of the model file.
func (n *net) weights() [][]float32 {
	return [][]float32{n.w1.Data, n.b1, n.w2.Data, n.b2}
}

// initialize draws the weights for ReLU (He et al., 2015).
func (n *net) initialize(rng *rand.Rand) {
	for _, w := range []blas32.General{n.w1, n.w2} {
		spread := math.Sqrt(2 / float64(w.Rows))
		for i := range w.Data {
			w.Data[i] = float32(spread * rng.NormFloat64())
		}
	}
}

// copyFrom takes the weights of a network of the same size.
func (n *net) copyFrom(other *net) {
	from := other.weights()
	for i, w := range n.weights() {
		copy(w, from[i])
	}
}

// activations holds one batch on its way through the network.
type activations struct {
	x, h, p blas32.General
}

func newActivations(batch, hidden int) *activations {
	return &activations{x: matrix(batch, Pixels), h: matrix(batch, hidden), p: matrix(batch, Classes)}
}

// load puts an image into row i, as values between 0 and 1.
func (a *activations) load(i int, img *Image) {
	row := a.x.Data[i*Pixels : (i+1)*Pixels]
	for j, v := range img {
		row[j] = float32(v) * (1.0 / 255)
	}
}

// forward computes the class probabilities of the first rows of the batch. The
// matrix products sum each cell in one order, whatever the number of cores.
func (n *net) forward(a *activations, rows int) {
	x, h, p := top(a.x, rows), top(a.h, rows), top(a.p, rows)
	fill(h, n.b1)
	blas32.Gemm(blas.NoTrans, blas.NoTrans, 1, x, n.w1, 1, h)
	for i, v := range h.Data {
		h.Data[i] = max(0, v)
	}
	fill(p, n.b2)
	blas32.Gemm(blas.NoTrans, blas.NoTrans, 1, h, n.w2, 1, p)
	for i := range rows {
		softmax(p.Data[i*Classes : (i+1)*Classes])
	}
}

// fill sets every row of m.
func fill(m blas32.General, row []float32) {
	for i := range m.Rows {
		copy(m.Data[i*m.Stride:], row)
	}
}

func softmax(z []float32) {
	peak := z[0]
	for _, v := range z[1:] {
		peak = max(peak, v)
	}
	var sum float32
	for i, v := range z {
		z[i] = float32(math.Exp(float64(v - peak)))
		sum += z[i]
	}
	for i := range z {
		z[i] /= sum
	}
}

// argmax is the class of the highest probability, the lowest of equals.
func argmax(p []float32) int {
	best := 0
	for i, v := range p {
		if v > p[best] {
			best = i
		}
	}
	return best
}

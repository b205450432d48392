package digits

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
)

const (
	// neighbours is which neighbour's distance counts: the tenth, so that a handful of
	// odd samples is no home for others like them.
	neighbours = 10
	// usualShare is the share of a reference whose distance is called usual.
	usualShare = 0.99
)

// Profile holds the hidden activations of a model for samples of its training set. It detects
// images that are unlike all of them, however confident the model is: by the distance to the
// tenth nearest, between activations scaled to length 1 (Sun, Ming, Zhu and Li, 2022,
// arXiv:2204.06507). It is safe for concurrent use.
type Profile struct {
	model *Model
	rows  blas32.General // one a sample
	usual float64
}

// NewProfile measures a reference: training samples, all or some.
func NewProfile(m *Model, reference Set) (*Profile, error) {
	if err := reference.check("reference"); err != nil {
		return nil, fmt.Errorf("profile of a model: %w", err)
	}
	p := &Profile{model: m, rows: m.directions(reference.Images)}
	distances := p.distances(p.rows, neighbours+1) // each is its own nearest
	slices.Sort(distances)
	p.usual = max(1e-6, distances[int(usualShare*float64(len(distances)-1))])
	return p, nil
}

// Novelty returns the distance of each image to the reference. 1 is the 99th percentile of
// the distances between the reference's own samples.
func (p *Profile) Novelty(images []Image) []float64 {
	out := p.distances(p.model.directions(images), neighbours)
	for i := range out {
		out[i] /= p.usual
	}
	return out
}

// distances returns the distance of each row to its nth nearest in the reference.
func (p *Profile) distances(rows blas32.General, nth int) []float64 {
	nth = min(nth, p.rows.Rows)
	out := make([]float64, rows.Rows)
	cosines := matrix(min(evaluated, rows.Rows), p.rows.Rows)
	for from := 0; from < rows.Rows; from += evaluated {
		n := min(evaluated, rows.Rows-from)
		part := rows
		part.Rows, part.Data = n, rows.Data[from*rows.Stride:]
		blas32.Gemm(blas.NoTrans, blas.Trans, 1, part, p.rows, 0, top(cosines, n))
		for i := range n {
			near := nthLargest(cosines.Data[i*cosines.Stride:(i+1)*cosines.Stride], nth)
			out[from+i] = math.Sqrt(max(0, 2-2*float64(near)))
		}
	}
	return out
}

// nthLargest keeps the n largest in order as it goes: n is small.
func nthLargest(values []float32, n int) float32 {
	best := make([]float32, 0, n)
	for _, v := range values {
		if len(best) < n {
			best = append(best, v)
		} else if v <= best[n-1] {
			continue
		}
		at := len(best) - 1
		for ; at > 0 && best[at-1] < v; at-- {
			best[at] = best[at-1]
		}
		best[at] = v
	}
	return best[len(best)-1]
}

// directions are the hidden layer's activations for each image, scaled to length 1.
func (m *Model) directions(images []Image) blas32.General {
	hidden := m.net.hidden()
	out := matrix(len(images), hidden)
	m.each(images, func(i int, a *activations, row int) {
		h := a.h.Data[row*hidden : (row+1)*hidden]
		length := blas32.Nrm2(blas32.Vector{N: hidden, Data: h, Inc: 1})
		if length == 0 {
			return
		}
		for j, v := range h {
			out.Data[i*hidden+j] = v / length
		}
	})
	return out
}

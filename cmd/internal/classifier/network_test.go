package classifier

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// drawn is a network for small images, so that the naive way ends soon.
func drawn(t *testing.T, side, width, classes int, seed uint64) *Network {
	n := &Network{layers: layersOf(side, width, classes)}
	r := rand.New(rand.NewPCG(seed, 0))
	var images [][]float32
	for range 3 {
		images = append(images, noise(r, side*side*Channels))
	}
	require.NoError(t, n.draw(seed, images, n.NewScratch(), nil))
	return n
}

func noise(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = r.Float32()*2 - 1
	}
	return x
}

// naive is a convolution as its definition has it. It counts its multiplications.
func naive(l layer, in, weights, biases []float32, count *int64) []float32 {
	out := make([]float32, l.out*l.sideNext*l.sideNext)
	size, edge := 3, 1
	if l.kind == pointwise || l.kind == dense {
		size, edge = 1, 0
	}
	for o := range l.out {
		from, to := 0, l.in
		if l.kind == depthwise {
			from, to = o, o+1
		}
		for y := range l.sideNext {
			for x := range l.sideNext {
				var sum float64
				for c := from; c < to; c++ {
					for dy := range size {
						for dx := range size {
							*count++
							iy, ix := y*l.stride+dy-edge, x*l.stride+dx-edge
							if iy < 0 || ix < 0 || iy >= l.side || ix >= l.side {
								continue
							}
							sum += float64(in[(c*l.side+iy)*l.side+ix]) * float64(weights[o*l.filter()+((c-from)*size+dy)*size+dx])
						}
					}
				}
				sum += float64(biases[o])
				if l.kind != dense {
					sum = math.Min(math.Max(sum, 0), 6)
				}
				out[(o*l.sideNext+y)*l.sideNext+x] = float32(sum)
			}
		}
	}
	return out
}

func TestTheFastWayIsTheDefinition(t *testing.T) {
	for _, side := range []int{32, 37, 63} {
		n := drawn(t, side, 4, 10, uint64(side))
		s := n.NewScratch()
		want := noise(rand.New(rand.NewPCG(1, 2)), side*side*Channels)
		copy(s.a, want)
		var count int64
		for i, l := range n.layers {
			if l.kind == pool {
				mean := make([]float32, l.in)
				means(l, want, mean)
				want = mean
				continue
			}
			want = naive(l, want, n.weights[i], n.biases[i], &count)
		}
		require.NoError(t, n.forward(s, nil))
		require.InDeltaSlice(t, want, s.classes, 1e-2)
		require.Equal(t, 2*count, n.FLOPs())
	}
}

// Shapes that fill no block, one exactly, and several.
func TestProductIsTheDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, shape := range [][3]int{{1, 1, 1}, {1, 2, 3}, {64, 192, 5}, {65, 193, 7}, {63, 191, 64}, {130, 400, 9}, {10, 1, 300}, {200, 49, 3}} {
		m, n, k := shape[0], shape[1], shape[2]
		a, b, c := noise(r, m*k), noise(r, k*n), noise(r, m*n)
		product(m, n, k, a, b, c)
		for i := range m {
			for j := range n {
				var want float64
				for l := range k {
					want += float64(a[i*k+l]) * float64(b[l*n+j])
				}
				require.InDelta(t, want, c[i*n+j], 1e-4, "%v at %d, %d", shape, i, j)
			}
		}
	}
}

// The paper's formula, of one block after the other: D_F*D_F*M*(D_K*D_K+N) (section
// 3.1), with the first convolution and the classes. Its table 6 has 149 and 41 million
// for widths 0.5 and 0.25.
func TestFLOPsAreThoseOfThePaper(t *testing.T) {
	for _, c := range []struct {
		model   Model
		width   float64
		million float64
	}{{Large, 0.5, 149}, {Small, 0.25, 41}} {
		n, err := New(c.model, 1, nil)
		require.NoError(t, err)
		count := 112 * 112 * 27 * 32 * c.width
		for _, b := range [][3]float64{
			{112, 32, 64}, {56, 64, 128}, {56, 128, 128}, {28, 128, 256}, {28, 256, 256}, {14, 256, 512}, {14, 512, 512},
			{14, 512, 512}, {14, 512, 512}, {14, 512, 512}, {14, 512, 512}, {7, 512, 1024}, {7, 1024, 1024},
		} {
			count += b[0] * b[0] * b[1] * c.width * (9 + b[2]*c.width)
		}
		count += 1024 * c.width * 1000
		require.Equal(t, int64(2*count), n.FLOPs())
		require.InEpsilon(t, c.million*2e6, n.FLOPs(), 0.015)
		t.Logf("%s: %.1f MFLOP, %d parameters\n%s", c.model, float64(n.FLOPs())/1e6, n.Parameters(), n.Table())
	}
}

func TestPredictionsAreTheSameEachTime(t *testing.T) {
	for _, m := range Models {
		var all []Prediction
		classes := map[int]bool{}
		for range 2 {
			n, err := New(m, 7, nil)
			require.NoError(t, err)
			s := n.NewScratch()
			for seed := range uint64(4) {
				p, err := n.Predict(s, Sample(seed), nil)
				require.NoError(t, err)
				require.Greater(t, p.Probability, float32(1.0/Classes))
				require.LessOrEqual(t, p.Probability, float32(1))
				all = append(all, p)
				classes[p.Class] = true
			}
			var sum float64
			for _, p := range s.classes {
				sum += float64(p)
			}
			require.InDelta(t, 1, sum, 1e-4)
		}
		require.Equal(t, all[:4], all[4:])
		require.Greater(t, len(classes), 1, "the class does not depend on the image")
		other, err := New(m, 8, nil)
		require.NoError(t, err)
		p, err := other.Predict(other.NewScratch(), Sample(0), nil)
		require.NoError(t, err)
		require.NotEqual(t, all[0], p, "the seed changes nothing")
		t.Log(m, all[:4], p)
	}
}

func TestAnErrorOfPauseEndsTheWork(t *testing.T) {
	gone := errors.New("gone")
	n, err := New(Small, 1, nil)
	require.NoError(t, err)
	calls := 0
	_, err = n.Predict(n.NewScratch(), Sample(1), func() error {
		if calls++; calls == 3 {
			return gone
		}
		return nil
	})
	require.ErrorIs(t, err, gone)
	require.Equal(t, 3, calls)
	_, err = New(Small, 1, func() error { return gone })
	require.ErrorIs(t, err, gone)
}

func TestParseModel(t *testing.T) {
	for _, m := range Models {
		got, err := ParseModel(string(m))
		require.NoError(t, err)
		require.Equal(t, m, got)
	}
	for _, name := range []string{"", "Large", "medium"} {
		_, err := ParseModel(name)
		require.ErrorContains(t, err, "use large or small")
	}
}

package digits

import (
	"math"
	"math/rand/v2"
)

// Vary makes copies of each sample with small random changes, as in other handwriting: rotated
// by up to 8 degrees, scaled by up to 8 % and shifted by up to 1.5 pixels, in either direction.
// They keep a model from overfitting to few samples (Simard, Steinkraus and Platt, 2003). The
// first copy is the sample itself. The same seed gives the same copies.
func (s Set) Vary(copies int, seed uint64) Set {
	out := Set{Images: make([]Image, 0, copies*s.Len()), Labels: make([]byte, 0, copies*s.Len())}
	for copied := range copies {
		rng := rand.New(rand.NewPCG(seed, uint64(copied)))
		for i := range s.Images {
			img := s.Images[i]
			if copied > 0 {
				img = img.moved(rng)
			}
			out.Images, out.Labels = append(out.Images, img), append(out.Labels, s.Labels[i])
		}
	}
	return out
}

func (img *Image) moved(rng *rand.Rand) Image {
	either := func(limit float64) float64 { return limit * (2*rng.Float64() - 1) }
	sin, cos := math.Sincos(either(8 * math.Pi / 180))
	size := 1 + either(0.08)
	dx, dy := either(1.5), either(1.5)
	return img.Warp(func(x, y float64) (float64, float64) {
		x, y = (x-dx)/size, (y-dy)/size
		return cos*x + sin*y, cos*y - sin*x
	})
}

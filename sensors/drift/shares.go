package drift

import "gonum.org/v1/gonum/floats"

// negligible is a share that counts as none: the half of one still smaller is 0 in a
// float64, and a ratio to it no number.
const negligible = 1e-300

// Shares are the counts as parts of their sum.
func Shares(counts []float64) []float64 {
	out := make([]float64, len(counts))
	floats.ScaleTo(out, 1/floats.Sum(counts), counts)
	for i, share := range out {
		if share < negligible {
			out[i] = 0
		}
	}
	return out
}

// Floored raises the shares that are below the floor to it, and has them add up to
// 1 again. A logarithm of a share, or a division by one, has no value at zero; that
// an empty bin counts as a small constant share is the usual way out (0.0001 in
// Evidently's stattests, among others). It keeps what it is made for: the result
// does not depend on the number of samples.
func Floored(shares []float64, floor float64) []float64 {
	out := make([]float64, len(shares))
	for i, share := range shares {
		out[i] = max(share, floor)
	}
	floats.Scale(1/floats.Sum(out), out)
	return out
}

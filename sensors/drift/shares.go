package drift

import "gonum.org/v1/gonum/floats"

// minShare is the smallest share that is not rounded to 0. Half of a smaller one underflows to
// 0 in a float64, and a ratio to it is not a number.
const minShare = 1e-300

// Shares returns the counts divided by their sum.
func Shares(counts []float64) []float64 {
	out := make([]float64, len(counts))
	floats.ScaleTo(out, 1/floats.Sum(counts), counts)
	for i, share := range out {
		if share < minShare {
			out[i] = 0
		}
	}
	return out
}

// Floored raises the shares that are below the floor to it, and scales the result to add up to
// 1. A logarithm of a share, or a division by one, is undefined at zero. A small constant
// share for empty bins is the usual solution (0.0001 in Evidently's stattests, among others),
// and it does not make the result depend on the number of samples.
func Floored(shares []float64, floor float64) []float64 {
	out := make([]float64, len(shares))
	for i, share := range shares {
		out[i] = max(share, floor)
	}
	floats.Scale(1/floats.Sum(out), out)
	return out
}

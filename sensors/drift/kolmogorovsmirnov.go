package drift

import "math"

// KolmogorovSmirnov is the largest distance between the cumulative distributions of two lists
// of shares in the order of their bins: from 0 to 1, symmetric.
//
// It is only evaluated at the bounds of the bins, so it is at most the distance of the
// unbinned values. There is no p-value: the test of that name is for continuous values, not
// for bins. See W. Conover, "A Kolmogorov goodness-of-fit test for discontinuous
// distributions" (1972).
func KolmogorovSmirnov(p, q []float64) float64 {
	var below, largest float64
	for i := range p {
		below += p[i] - q[i]
		largest = max(largest, math.Abs(below))
	}
	return min(largest, 1)
}

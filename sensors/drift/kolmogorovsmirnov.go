package drift

import "math"

// KolmogorovSmirnov is the largest distance between the cumulative distributions of
// two lists of shares in the order of their bins: from 0 to 1, symmetric.
//
// It is seen at the bounds of the bins only, and so is at most that of the values
// themselves. The p-value of the test of that name is for values that differ, not
// for bins, and is not given: see W. Conover, "A Kolmogorov goodness-of-fit test
// for discontinuous distributions" (1972).
func KolmogorovSmirnov(p, q []float64) float64 {
	var below, largest float64
	for i := range p {
		below += p[i] - q[i]
		largest = max(largest, math.Abs(below))
	}
	return min(largest, 1)
}

package drift

import (
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// LeastExpected is the least count that Pearson's test wants to expect in a bin: the
// rule of W. Cochran, "Some methods for strengthening the common chi-square tests"
// (1954), as most take it.
const LeastExpected = 5

// Test is the outcome of Pearson's chi-square test.
type Test struct {
	Statistic float64
	// Freedom is its degrees of freedom: the bins that were tested, less one.
	Freedom int
	// PValue is how probable a statistic as large is without any drift.
	PValue float64
}

// Homogeneity tests whether two samples, given as counts, come from one
// distribution. Bins in which less than LeastExpected is expected of either sample
// are pooled first, but for those that a drift fills. It is false where that leaves
// fewer than two bins.
//
// K. Pearson, "On the probability that two independent distributions of frequency
// are really samples from the same population" (1911).
func Homogeneity(current, reference []float64, ordered bool) (Test, bool) {
	n, m := floats.Sum(current), floats.Sum(reference)
	bins := make([]bin, len(current))
	for i := range bins {
		both := current[i] + reference[i]
		bins[i] = bin{observed: []float64{current[i], reference[i]}, expected: []float64{both * (n / (n + m)), both * (m / (n + m))}}
	}
	return pearson(bins, ordered)
}

// GoodnessOfFit tests whether a sample, given as counts, comes from the distribution
// of the shares, none of which is zero. Bins are pooled as by Homogeneity.
//
// K. Pearson, "On the criterion that a given system of deviations from the probable
// ... can be reasonably supposed to have arisen from random sampling" (1900).
func GoodnessOfFit(current, shares []float64, ordered bool) (Test, bool) {
	n := floats.Sum(current)
	bins := make([]bin, len(current))
	for i := range bins {
		bins[i] = bin{observed: []float64{current[i]}, expected: []float64{n * shares[i]}}
	}
	return pearson(bins, ordered)
}

func pearson(bins []bin, ordered bool) (Test, bool) {
	if ordered {
		bins = poolNeighbours(bins)
	} else {
		bins = poolRare(bins)
	}
	if len(bins) < 2 {
		return Test{}, false
	}
	var observed, expected []float64
	for _, b := range bins {
		observed, expected = append(observed, b.observed...), append(expected, b.expected...)
	}
	t := Test{Statistic: stat.ChiSquare(observed, expected), Freedom: len(bins) - 1}
	t.PValue = distuv.ChiSquared{K: float64(t.Freedom)}.Survival(t.Statistic)
	return t, true
}

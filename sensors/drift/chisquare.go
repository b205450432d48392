package drift

import (
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// MinExpected is the minimum count that Pearson's test expects in a bin: the common form of
// the rule of W. Cochran, "Some methods for strengthening the common chi-square tests" (1954).
const MinExpected = 5

// Test is the result of Pearson's chi-square test.
type Test struct {
	Statistic float64
	// Freedom is the degrees of freedom: the number of tested bins minus one.
	Freedom int
	// PValue is the probability of a statistic at least as large without any drift.
	PValue float64
}

// Homogeneity tests whether two samples, given as counts, come from one distribution. Bins in
// which less than MinExpected is expected of either sample are pooled first, except those that
// a drift fills. It returns false if fewer than two bins remain.
//
// K. Pearson, "On the probability that two independent distributions of frequency are really
// samples from the same population" (1911).
func Homogeneity(current, reference []float64, ordered bool) (Test, bool) {
	n, m := floats.Sum(current), floats.Sum(reference)
	bins := make([]bin, len(current))
	for i := range bins {
		both := current[i] + reference[i]
		bins[i] = bin{observed: []float64{current[i], reference[i]}, expected: []float64{both * (n / (n + m)), both * (m / (n + m))}}
	}
	return pearson(bins, ordered)
}

// GoodnessOfFit tests whether a sample, given as counts, comes from a distribution given as
// shares, all above zero. Bins are pooled as in Homogeneity.
//
// K. Pearson, "On the criterion that a given system of deviations from the probable ... can be
// reasonably supposed to have arisen from random sampling" (1900).
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

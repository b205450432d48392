package drift

import (
	"math"

	"gonum.org/v1/gonum/stat"
)

// JensenShannon is the Jensen-Shannon distance of two distributions of shares: the
// square root of the divergence, with logarithms to the base 2. It is 0 for equal
// ones, 1 for those that have no bin in common, symmetric, and a metric.
//
// The divergence is of J. Lin, "Divergence measures based on the Shannon entropy"
// (1991); that its root is a metric, of D. Endres and J. Schindelin, "A new metric
// for probability distributions" (2003). An empty bin needs no floor.
func JensenShannon(p, q []float64) float64 {
	divergence := stat.JensenShannon(p, q) / math.Ln2
	return math.Sqrt(min(max(divergence, 0), 1)) // rounding may leave it just outside
}

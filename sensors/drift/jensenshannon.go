package drift

import (
	"math"

	"gonum.org/v1/gonum/stat"
)

// JensenShannon is the Jensen-Shannon distance of two distributions given as shares: the
// square root of the divergence, with logarithms to base 2. It is symmetric, a metric, 0 for
// equal distributions, and 1 for those that have no bin in common.
//
// J. Lin, "Divergence measures based on the Shannon entropy" (1991), defines the divergence;
// D. Endres and J. Schindelin, "A new metric for probability distributions" (2003), show that
// its root is a metric. Empty bins need no floor.
func JensenShannon(p, q []float64) float64 {
	divergence := stat.JensenShannon(p, q) / math.Ln2
	return math.Sqrt(min(max(divergence, 0), 1)) // rounding may leave it just outside
}

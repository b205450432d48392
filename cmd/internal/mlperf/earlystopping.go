package mlperf

import "gonum.org/v1/gonum/mathext"

// confidence is that of the early stopping criterion; its tolerance is 0 (inference
// rules, appendix "Early Stopping Criterion").
const confidence = 0.99

// passes reports whether so many queries of which over were too slow show, with the
// confidence, that the share p is fast enough: a system that just misses p would have so
// few slow ones with a probability below 1 - confidence, which the regularized incomplete
// beta function gives.
func passes(queries, over int, p float64) bool {
	under := queries - over
	return under > 0 && mathext.RegIncBeta(float64(under), float64(over)+1, p) < 1-confidence
}

// MinQueries is how many queries a run must have so that over too slow ones show that
// the share p (0.99, say) is fast enough.
func MinQueries(over int, p float64) int {
	low, high := over, over+1 // low does not pass
	for !passes(high, over, p) {
		low, high = high, 2*high
	}
	for high-low > 1 {
		if middle := low + (high-low)/2; passes(middle, over, p) {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}

// maxOver is the most too slow queries with which so many queries still pass; false where
// not even one may be.
func maxOver(queries int, p float64) (int, bool) {
	if !passes(queries, 1, p) {
		return 0, false
	}
	low, high := 1, queries // high does not pass
	for high-low > 1 {
		if middle := low + (high-low)/2; passes(queries, middle, p) {
			low = middle
		} else {
			high = middle
		}
	}
	return low, true
}

package mlperf

import "gonum.org/v1/gonum/mathext"

// confidence is the confidence of the early stopping criterion. The tolerance is 0
// (inference rules, appendix "Early Stopping Criterion").
const confidence = 0.99

// passes reports whether a run, in which over of the queries were too slow, shows with the
// confidence that the share p is fast enough: a system that just misses p would have so
// few slow queries with a probability below 1 - confidence, by the regularized incomplete
// beta function.
func passes(queries, over int, p float64) bool {
	under := queries - over
	return under > 0 && mathext.RegIncBeta(float64(under), float64(over)+1, p) < 1-confidence
}

// MinQueries returns the minimum of queries of a run in which over are too slow, so that
// it shows that the share p (such as 0.99) is fast enough.
func MinQueries(over int, p float64) int {
	low, high := over, over+1 // low fails
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

// maxOver returns the maximum of slow queries with which a run passes, or false if none
// may be slow.
func maxOver(queries int, p float64) (int, bool) {
	if !passes(queries, 1, p) {
		return 0, false
	}
	low, high := 1, queries // high fails
	for high-low > 1 {
		if middle := low + (high-low)/2; passes(queries, middle, p) {
			low = middle
		} else {
			high = middle
		}
	}
	return low, true
}

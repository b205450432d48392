package sensors

import (
	"maps"
	"math"
	"slices"
)

// histogramQuantile estimates a quantile from the increase of a histogram's cumulative
// buckets, summed over several pages, like PromQL's histogram_quantile: it interpolates
// linearly within a bucket, and returns the highest finite bound for the quantiles above it.
// It returns false if nothing was observed, and NaN if a bucket has no finite value.
func histogramQuantile(rank float64, buckets []point) (float64, bool) {
	byBound := map[float64]float64{}
	for _, b := range buckets {
		if notFinite(b.value) {
			return math.NaN(), true
		}
		byBound[b.le] += b.value
	}
	bounds := slices.Sorted(maps.Keys(byBound))
	if !math.IsInf(bounds[len(bounds)-1], 1) {
		return 0, false
	}
	total := byBound[math.Inf(1)]
	if total <= 0 {
		return 0, false
	}
	if len(bounds) == 1 {
		return math.NaN(), true // a single bucket +Inf gives no estimate
	}
	wanted, below, lower := rank*total, 0.0, 0.0
	if bounds[0] < 0 {
		lower = bounds[0]
	}
	for _, bound := range bounds {
		count := math.Max(below, byBound[bound])
		if count >= wanted || math.IsInf(bound, 1) {
			if math.IsInf(bound, 1) || bound == lower {
				return lower, true
			}
			return lower + (bound-lower)*(wanted-below)/(count-below), true
		}
		below, lower = count, bound
	}
	return lower, true
}

func notFinite(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }

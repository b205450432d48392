package hpa

import "time"

// recommendation is the size that the metric asked for at one sync, before any bound.
type recommendation struct {
	size int
	at   time.Time
}

// recommendations are those of the past. The slot of one that no window reaches is used
// for the next.
type recommendations []recommendation

// add keeps the recommendation, in the slot of the last one before the cutoff if any is.
func (r *recommendations) add(size int, now, cutoff time.Time) {
	slot := -1
	for i, past := range *r {
		if past.at.Before(cutoff) {
			slot = i
		}
	}
	if slot < 0 {
		*r = append(*r, recommendation{})
		slot = len(*r) - 1
	}
	(*r)[slot] = recommendation{size, now}
}

// highest is the stabilised size of an object without a behavior: the highest within
// the window that ends now.
func (r *recommendations) highest(size int, now time.Time) int {
	cutoff, highest := now.Add(-DownscaleWindow), size
	for _, past := range *r {
		if !past.at.Before(cutoff) {
			highest = max(highest, past.size)
		}
	}
	r.add(size, now, cutoff)
	return highest
}

// stabilised is the size nearest to the present one between the lowest recommendation
// of the window up and the highest of the window down.
func (r *recommendations) stabilised(replicas, size int, now time.Time, b Behavior) int {
	upCutoff, downCutoff := now.Add(-*b.ScaleUp.Window), now.Add(-*b.ScaleDown.Window)
	lowest, highest := size, size
	for _, past := range *r {
		if past.at.After(upCutoff) {
			lowest = min(lowest, past.size)
		}
		if past.at.After(downCutoff) {
			highest = max(highest, past.size)
		}
	}
	earlier := upCutoff
	if downCutoff.Before(earlier) {
		earlier = downCutoff
	}
	r.add(size, now, earlier)
	return min(max(replicas, lowest), highest)
}

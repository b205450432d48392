package hpa

import "time"

// recommendation is the recommended size at one sync, before any limit.
type recommendation struct {
	size int
	at   time.Time
}

// recommendations are the past recommendations. The slots of those that are older than
// every window are reused.
type recommendations []recommendation

// add stores the recommendation. It reuses the slot of the last one before the cutoff.
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

// highest returns the stabilized size for an object without a behavior: the highest in the
// window that ends now.
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

// stabilised returns the size nearest to the current one between the lowest recommendation
// in the window up and the highest in the window down.
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

package load

import (
	"slices"
	"time"
)

// latencies are in ascending order.
type latencies []time.Duration

// sorted sorts in place.
func sorted(d []time.Duration) latencies {
	slices.Sort(d)
	return d
}

// at is the percentile p (0 < p <= 100) by the nearest rank, as MLPerf's LoadGen
// takes it: the smallest latency that at least p percent do not exceed. It is 0
// where there are none. Ranks are in thousandths of a percent, in whole numbers,
// so that no rounding moves one.
func (l latencies) at(p float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	const whole = 100_000
	rank := (int(p*1000+0.5)*len(l) + whole - 1) / whole
	return l[min(max(rank, 1), len(l))-1]
}

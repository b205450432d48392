package load

import "time"

// Over counts the queries that were due in [from, to): those that failed or took longer
// than a bound, and all of them. A latency within one percent of the bound may count
// either way.
func (r *Result) Over(bound, from, to time.Duration) (over, all int) {
	if to <= from {
		return 0, 0
	}
	l, _, _ := r.series.within(max(from, 0), to)
	return l.errors + l.above(bound), l.count()
}

// above returns how many successful queries took longer than d.
func (l *latencies) above(d time.Duration) int {
	n := int64(0)
	l.ForEachBucket(func(value, count int64) bool {
		if value > int64(d) {
			n += count
		}
		return true
	})
	return int(n)
}

package load

import (
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// Latencies are recorded in an HDR histogram (Tene, 2012). The relative error of a
// percentile is at most 10^-digits. Memory depends on the range and not on the number of
// latencies.
const (
	// totalDigits are for a run and its phases, binDigits for a bin of the series.
	totalDigits = 3
	binDigits   = 2
	leastValue  = 100       // nanoseconds; the resolution
	mostValue   = time.Hour // longer latencies are clamped
)

func clamped(d time.Duration) int64 { return int64(min(max(d, 0), mostValue)) }

// latencies records the latencies of successful queries and counts the errors.
type latencies struct {
	*hdr.PackedHistogram
	max    time.Duration
	errors int
}

func newLatencies(digits int) *latencies {
	return &latencies{PackedHistogram: hdr.NewPacked(leastValue, int64(mostValue), digits)}
}

func (l *latencies) add(d time.Duration, status Status) {
	if !status.OK() {
		l.errors++
		return
	}
	_ = l.RecordValue(clamped(d)) // clamped is within the range
	l.max = max(l.max, d)
}

func (l *latencies) merge(from *latencies) {
	l.Merge(from.PackedHistogram)
	l.max = max(l.max, from.max)
	l.errors += from.errors
}

func (l *latencies) good() int  { return int(l.TotalCount()) }
func (l *latencies) count() int { return l.good() + l.errors }

// atRank returns the latency with a rank, from 1 to good().
func (l *latencies) atRank(rank int) time.Duration {
	if rank >= l.good() {
		return l.max
	}
	// The library rounds percentile/100*total to the nearest rank.
	v := l.ValueAtPercentile(100 * float64(rank) / float64(l.TotalCount()))
	return min(time.Duration(v), l.max)
}

// at returns the percentile p (0 < p <= 100) of the successful queries by the nearest
// rank: the smallest latency that at least p percent do not exceed. It is 0 if there are
// none.
func (l *latencies) at(p float64) time.Duration {
	if l.good() == 0 {
		return 0
	}
	return l.atRank(nearestRank(p, l.good()))
}

// nearestRank computes in thousandths of a percent, as integers, to avoid rounding errors.
func nearestRank(p float64, n int) int {
	const whole = 100_000
	rank := (int(p*1000+0.5)*n + whole - 1) / whole
	return min(max(rank, 1), n)
}

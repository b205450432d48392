package load

import "time"

const (
	// finestBin is the smallest width of a bin.
	finestBin = 50 * time.Millisecond
	// maxBins bounds a series. If a run needs more, adjacent bins are merged. Half an hour
	// has bins of 400 ms.
	maxBins = 8192
)

// bin is an interval of a run. Latencies are those of the queries due in it; ended and
// failed count those that ended in it.
type bin struct {
	due           *latencies // nil if none was due
	ended, failed int
}

// series divides a run into bins of equal width.
type series struct {
	width time.Duration
	bins  []bin
}

func (s *series) at(t time.Duration) *bin {
	if s.width == 0 {
		s.width = finestBin
	}
	i := int(max(t, 0) / s.width)
	for i >= maxBins {
		s.coarsen()
		i /= 2
	}
	for i >= len(s.bins) {
		s.bins = append(s.bins, bin{})
	}
	return &s.bins[i]
}

// coarsen merges each two adjacent bins.
func (s *series) coarsen() {
	half := make([]bin, (len(s.bins)+1)/2)
	for i, b := range s.bins {
		to := &half[i/2]
		to.ended += b.ended
		to.failed += b.failed
		if to.due == nil {
			to.due = b.due
		} else if b.due != nil {
			to.due.merge(b.due)
		}
	}
	s.bins, s.width = half, 2*s.width
}

func (s *series) add(due, ended time.Duration, status Status) {
	b := s.at(due)
	if b.due == nil {
		b.due = newLatencies(binDigits)
	}
	b.due.add(ended-due, status)
	b = s.at(ended)
	b.ended++
	if !status.OK() {
		b.failed++
	}
}

// within merges the bins that begin in an interval.
func (s *series) within(from, to time.Duration) (all *latencies, ended, failed int) {
	all = newLatencies(binDigits)
	if s.width == 0 {
		return all, 0, 0
	}
	for i := int((from + s.width - 1) / s.width); i < len(s.bins) && time.Duration(i)*s.width < to; i++ {
		b := &s.bins[i]
		if b.due != nil {
			all.merge(b.due)
		}
		ended += b.ended
		failed += b.failed
	}
	return all, ended, failed
}

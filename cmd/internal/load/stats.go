package load

import "time"

const (
	recentSlot = 250 * time.Millisecond
	// recentSlots bounds the window of Stats.
	recentSlots = 80
)

// slot is a short, recent interval of a run.
type slot struct {
	index int
	due   int
	ended *latencies
}

// recent is a ring of the latest slots.
type recent struct{ slots [recentSlots]slot }

func (r *recent) slot(t time.Duration) *slot {
	index := int(max(t, 0) / recentSlot)
	s := &r.slots[index%recentSlots]
	if s.ended == nil || index > s.index {
		*s = slot{index: index, ended: newLatencies(binDigits)}
	}
	return s
}

// Stats are the statistics of a run in progress.
type Stats struct {
	Elapsed     time.Duration
	Phase       int     // index of the current phase
	TargetRate  float64 // queries per second, now
	Due         int     // queries due so far
	Done        int     // ended so far
	Failed      int     // of those, failed
	Outstanding int
	// The rest covers the requested window.
	Rate      float64 // queries due per second
	Answered  float64 // successful queries per second
	P50, P99  time.Duration
	Count     int     // queries that ended
	Errors    int     // of those, failed
	ErrorRate float64 // Errors of Count; 0 if none ended
}

// Stats returns statistics over the last window (more than 0, at most 19 s). It is safe
// for concurrent use.
func (g *Generator) Stats(window time.Duration) Stats {
	l := &g.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.began.IsZero() {
		return Stats{}
	}
	now := time.Since(l.began)
	window = min(window, (recentSlots-4)*recentSlot)
	first := int(max(0, now-window) / recentSlot)
	s := Stats{Elapsed: now, Due: l.sent, Done: l.total.count(), Failed: l.total.errors, Outstanding: int(g.outstanding.Load())}
	s.Phase, s.TargetRate = phaseAt(g.o.Phases, now)
	all, due := newLatencies(binDigits), 0
	for i := range l.recent.slots {
		if r := &l.recent.slots[i]; r.ended != nil && r.index >= first {
			all.merge(r.ended)
			due += r.due
		}
	}
	if span := (now - time.Duration(first)*recentSlot).Seconds(); span > 0 {
		s.Rate, s.Answered = float64(due)/span, float64(all.good())/span
	}
	s.Count, s.Errors = all.count(), all.errors
	if s.Count > 0 {
		s.ErrorRate = float64(s.Errors) / float64(s.Count)
	}
	s.P50, s.P99 = all.at(50), all.at(99)
	return s
}

// phaseAt returns the index of the current phase and its rate, or the last phase and 0
// after the end.
func phaseAt(phases []Phase, t time.Duration) (int, float64) {
	for i, p := range phases {
		if t < p.Duration {
			return i, p.RateAt(t)
		}
		t -= p.Duration
	}
	return len(phases) - 1, 0
}

package load

import (
	"sort"
	"sync"
	"time"
)

// Record is what became of one query.
type Record struct {
	At      time.Duration // when it was due, since the first phase began
	Latency time.Duration // from when it was due to the end of its reply
	Phase   int16
	Status  Status
}

// log holds the run: 8 bytes a query due and 24 a query ended.
type log struct {
	mu      sync.Mutex
	began   time.Time
	dues    []time.Duration // in order
	records []Record        // in the order in which they ended
	phase   int
	lag     time.Duration // the worst
}

func (l *log) start(began time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.began = began
}

// due notes an arrival that is dispatched now, and how late that is.
func (l *log) due(a Arrival, now time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dues = append(l.dues, a.At)
	l.phase = a.Phase
	l.lag = max(l.lag, now-a.At)
}

func (l *log) done(a Arrival, now time.Duration, status Status) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = append(l.records, Record{At: a.At, Latency: now - a.At, Phase: int16(a.Phase), Status: status})
}

// Stats is how a run stands, for a line of progress.
type Stats struct {
	Elapsed     time.Duration
	Phase       int     // index of the phase under way
	TargetRate  float64 // queries per second, now
	Due         int     // queries due so far
	Outstanding int
	// The rest is of the window asked for.
	Rate      float64 // queries due per second
	P50, P99  time.Duration
	Count     int     // queries that ended
	Errors    int     // of those, the ones not answered as they should be
	ErrorRate float64 // Errors of Count; 0 if none ended
}

// Stats is how the run stands, over the last window (more than 0). It may be called at any time.
func (g *Generator) Stats(window time.Duration) Stats {
	l := &g.log
	l.mu.Lock()
	if l.began.IsZero() {
		l.mu.Unlock()
		return Stats{}
	}
	now := time.Since(l.began)
	from := max(0, now-window)
	s := Stats{Elapsed: now, Due: len(l.dues), Outstanding: int(g.outstanding.Load())}
	s.Phase, s.TargetRate = phaseAt(g.o.Phases, now)
	recent := len(l.dues) - sort.Search(len(l.dues), func(i int) bool { return l.dues[i] >= from })
	if span := now - from; span > 0 {
		s.Rate = float64(recent) / span.Seconds()
	}
	var good []time.Duration
	for i := len(l.records) - 1; i >= 0 && l.records[i].At+l.records[i].Latency >= from; i-- {
		s.Count++
		if r := l.records[i]; r.Status.OK() {
			good = append(good, r.Latency)
		}
	}
	l.mu.Unlock()
	s.Errors = s.Count - len(good)
	if s.Count > 0 {
		s.ErrorRate = float64(s.Errors) / float64(s.Count)
	}
	p := sorted(good)
	s.P50, s.P99 = p.at(50), p.at(99)
	return s
}

// phaseAt is the phase under way, and its rate; after the last, the last and 0.
func phaseAt(phases []Phase, t time.Duration) (int, float64) {
	for i, p := range phases {
		if t < p.Duration {
			return i, p.RateAt(t)
		}
		t -= p.Duration
	}
	return len(phases) - 1, 0
}

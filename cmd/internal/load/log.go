package load

import (
	"sync"
	"time"
)

// log records the run in bounded memory.
type log struct {
	mu       sync.Mutex
	began    time.Time
	bound    time.Duration
	total    *latencies
	phases   []*latencies // by phase
	series   series
	recent   recent
	statuses map[Status]int // of failed queries
	failures []Failure      // the first mostFailures
	within   int            // successful within the bound
	lag      *latencies     // the lateness of the generator
	sent     int            // due so far
	last     time.Duration  // when the last query was due
	end      time.Duration  // when the last query ended
}

func (l *log) start(began time.Time, phases int, bound time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.began, l.bound = began, bound
	l.total, l.lag = newLatencies(totalDigits), newLatencies(totalDigits)
	l.statuses = map[Status]int{}
	l.phases = make([]*latencies, phases)
	for i := range l.phases {
		l.phases[i] = newLatencies(totalDigits)
	}
}

// due records an arrival that is dispatched.
func (l *log) due(a Arrival) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent++
	l.last = a.At
	l.recent.slot(a.At).due++
}

// done records the end of a query that was due at a.At and sent late by lag.
func (l *log) done(a Arrival, lag, now time.Duration, status Status) {
	l.mu.Lock()
	defer l.mu.Unlock()
	latency := now - a.At
	l.total.add(latency, status)
	l.phases[a.Phase].add(latency, status)
	l.series.add(a.At, now, status)
	l.recent.slot(now).ended.add(latency, status)
	l.lag.add(lag, 200)
	l.end = max(l.end, now)
	if !status.OK() {
		l.statuses[status]++
		if len(l.failures) < mostFailures {
			l.failures = append(l.failures, Failure{At: a.At, Latency: latency, Status: status})
		}
	} else if latency <= l.bound {
		l.within++
	}
}

package sensors

import (
	"maps"
	"slices"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Fork implements engine.Forker: the fork has the counters of the pages.
func (s *scrape) Fork() engine.Sensor {
	out := *s
	out.poller = s.poller.fork()
	if s.rates != nil {
		out.rates = s.rates.fork()
	}
	return &out
}

// Fork implements engine.Forker: the fork has the order of its requests.
func (s *httpSensor) Fork() engine.Sensor {
	out := *s
	out.poller = s.poller.fork()
	return &out
}

// Fork implements engine.Forker: the fork has the cached totals of runs.
func (s *mlflowSensor) Fork() engine.Sensor {
	out := *s
	out.poller = s.poller.fork()
	if q, is := s.query.(*runsQuery); is {
		query := *q
		query.totals = q.totals.fork()
		out.query = &query
	}
	return &out
}

// Fork implements engine.Forker: the fork knows which series and members are gone.
func (s *prometheusSensor) Fork() engine.Sensor {
	out := *s
	out.stale = s.stale.fork()
	out.members = s.members.fork()
	return &out
}

// Fork implements engine.Forker: the fork knows which series are gone.
func (s *driftSensor) Fork() engine.Sensor {
	out := *s
	out.stale = s.stale.fork()
	return &out
}

func (p *poller) fork() *poller {
	p.mu.Lock()
	defer p.mu.Unlock()
	return &poller{timeout: p.timeout, timedOut: maps.Clone(p.timedOut)}
}

func (h *rateWindow) fork() *rateWindow {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := newRateWindow(h.window)
	for page, byKey := range h.history {
		points := make(map[string][]point, len(byKey))
		for key, samples := range byKey {
			points[key] = slices.Clone(samples)
		}
		out.history[page] = points
	}
	return out
}

func (d *staleDetector) fork() *staleDetector {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &staleDetector{staleAfter: d.staleAfter, sampled: d.sampled, absent: maps.Clone(d.absent)}
}

func (m *memberMemory) fork() *memberMemory {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &memberMemory{staleAfter: m.staleAfter, seen: m.seen} // markGone replaces the map
}

func (c *runTotalsCache) fork() *runTotalsCache {
	c.mu.Lock()
	defer c.mu.Unlock()
	by := make(map[string]*runTotals, len(c.by))
	for key, totals := range c.by {
		same := *totals
		by[key] = &same
	}
	return &runTotalsCache{by: by}
}

package engine

import (
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// schedule knows when each time trigger of an agent is due.
type schedule struct {
	triggers []Trigger
	due      []time.Time // zero: never again
	fired    []time.Time // for when each fired last; zero: never
	origin   time.Time
	rand     *rand.Rand
}

// newSchedule starts the triggers at a moment: an interval fires at once, then on
// its grid. The jitter is drawn from a seed of the agent's own.
func newSchedule(triggers []Trigger, start time.Time, agent string, seed uint64) *schedule {
	h := fnv.New64a()
	_, _ = h.Write([]byte(agent))
	s := &schedule{triggers: triggers, due: make([]time.Time, len(triggers)), fired: make([]time.Time, len(triggers)), origin: start, rand: rand.New(rand.NewPCG(seed, h.Sum64()))}
	for i, t := range triggers {
		switch {
		case t.Every > 0:
			s.due[i] = start
		case t.Cron != nil:
			s.due[i] = t.Cron.Next(start)
		case !t.At.IsZero() && !t.At.Before(start):
			s.due[i] = t.At
		}
	}
	return s
}

// next is the earliest time at which anything is due.
func (s *schedule) next() (time.Time, bool) {
	var first time.Time
	for _, d := range s.due {
		if !d.IsZero() && (first.IsZero() || d.Before(first)) {
			first = d
		}
	}
	return first, !first.IsZero()
}

// take returns the triggers due by now, with when each was, and puts them
// forward. However often one came due while the agent was busy, it is returned once.
func (s *schedule) take(now time.Time) (due []TriggerInfo, since []time.Time) {
	for i, t := range s.triggers {
		if s.due[i].IsZero() || s.due[i].After(now) {
			continue
		}
		info := TriggerInfo{Name: t.Name}
		when := s.due[i]
		s.fired[i] = when
		switch {
		case t.Every > 0:
			info.Kind = "every"
			beats := now.Sub(s.origin)/t.Every + 1
			s.due[i] = s.origin.Add(beats * t.Every)
			if t.Jitter > 0 {
				s.due[i] = s.due[i].Add(time.Duration(s.rand.Int64N(int64(t.Jitter))))
			}
		case t.Cron != nil:
			info.Kind = "cron"
			s.due[i] = t.Cron.Next(now)
		default:
			info.Kind = "at"
			s.due[i] = time.Time{}
		}
		due, since = append(due, info), append(since, when)
	}
	return due, since
}

// interval is the shortest interval of the triggers, 0 if there is none.
func (s *schedule) interval() time.Duration {
	var shortest time.Duration
	for _, t := range s.triggers {
		if t.Every > 0 && (shortest == 0 || t.Every < shortest) {
			shortest = t.Every
		}
	}
	return shortest
}

package loop

import (
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// schedule has the times at which the time triggers of an agent are due.
type schedule struct {
	triggers []engine.Trigger
	due      []time.Time // zero: never again
	fired    []time.Time // the due time of the last firing; zero: none
	origin   time.Time
	rand     *rand.Rand
}

// firing is a trigger that is due, since a time.
type firing struct {
	trigger engine.TriggerInfo
	since   time.Time
}

// newSchedule starts the triggers: an interval fires at once, then on its grid. The jitter
// is drawn from a seed of the agent's own.
func newSchedule(triggers []engine.Trigger, start time.Time, agent string, seed uint64) *schedule {
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

// next returns the earliest time at which a trigger is due, and reports whether there is one.
func (s *schedule) next() (time.Time, bool) {
	var first time.Time
	for _, d := range s.due {
		if !d.IsZero() && (first.IsZero() || d.Before(first)) {
			first = d
		}
	}
	return first, !first.IsZero()
}

// take returns the triggers that are due, and sets when each is due next. A trigger that
// was due several times while the agent was busy is returned once.
func (s *schedule) take(now time.Time) []firing {
	var out []firing
	for i, t := range s.triggers {
		if s.due[i].IsZero() || s.due[i].After(now) {
			continue
		}
		info := engine.TriggerInfo{Name: t.Name}
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
		out = append(out, firing{info, when})
	}
	return out
}

// interval returns the shortest interval of the triggers, 0 if there is none.
func (s *schedule) interval() time.Duration {
	var shortest time.Duration
	for _, t := range s.triggers {
		if t.Every > 0 && (shortest == 0 || t.Every < shortest) {
			shortest = t.Every
		}
	}
	return shortest
}

// repeatsCron is by how much a clock has to be set back for a cron that fired to fire again.
const repeatsCron = 3 * time.Hour

// rewind has each trigger due no later than after a start at now, after the clock was set
// back. A cron that fired does not fire again where the clock went back by little, as at a
// correction.
func (s *schedule) rewind(now time.Time, by time.Duration) {
	for i, t := range s.triggers {
		switch {
		case t.Every > 0:
			if next := now.Add(t.Every); s.due[i].After(next) {
				s.origin, s.due[i] = now, next
			}
		case t.Cron != nil:
			from := now
			if by < repeatsCron && s.fired[i].After(now) {
				from = s.fired[i]
			}
			s.due[i] = t.Cron.Next(from)
		case s.fired[i].IsZero() && !t.At.Before(now): // it was past when the agent started
			s.due[i] = t.At
		}
	}
}

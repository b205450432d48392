package engine

import (
	"maps"
	"time"
)

// A clock that was wrong and is set back leaves times behind that are still to come: acts
// that are to end next year, and cooldowns counted from then. Such a time stands for the
// moment at which it is found out: no wait is longer than it would have been had it begun
// then. Where one is read back from the journal, that is the start of the process.

// past is a time that was written down, at the latest now.
func past(t, now time.Time) time.Time {
	if t.After(now) {
		return now
	}
	return t
}

// clockSetBack finds out whether the clock shows an earlier time than it did at the last
// turn of the loop, and brings what the agent holds back with it.
func (a *agent) clockSetBack(due *schedule) {
	now := a.host.Clock.Now()
	by := a.seen.Sub(now.Round(0)) // as the clock shows them: Go's own measure never goes back
	known := !a.seen.IsZero()
	a.seen = now.Round(0)
	if !known || by <= 0 {
		return
	}
	if by > time.Second {
		a.log.Warn("the clock was set back; what was to wait for a later time waits no longer than from now on", "by", by.Round(time.Millisecond))
	}
	due.rewind(now, by)
	a.watching.rewind(now)
	a.retryAt, a.tidyAt, a.begun = past(a.retryAt, now), past(a.tidyAt, now), past(a.begun, now)
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range a.memories {
		m.rewind(now)
	}
	for id, g := range a.asked.looked {
		g.at = past(g.at, now)
		a.asked.looked[id] = g
	}
	for key, p := range a.asked.by {
		p.Decided, p.Ended = past(p.Decided, now), past(p.Ended, now)
		a.asked.by[key] = p
	}
}

// rewind has nothing of the memory lie ahead.
func (m *memory) rewind(now time.Time) {
	for i := range m.acts {
		m.acts[i].at = past(m.acts[i].at, now)
	}
	for key, f := range m.failed {
		f.at = past(f.at, now)
		m.failed[key] = f
	}
	for strategy, s := range m.doc {
		for verb, last := range s.Last {
			if last.AtNS > now.UnixNano() {
				last.AtNS = now.UnixNano()
				m.edit(strategy, func(s *StrategyMemory) { s.Last = maps.Clone(s.Last); s.Last[verb] = last })
			}
		}
	}
}

// inPast has nothing of what an earlier life of the agent did lie ahead.
func (r Recollection) inPast(now time.Time) Recollection {
	acts := make([]Act, len(r.Acts))
	for i, act := range r.Acts {
		act.At, act.EndedAt = past(act.At, now), past(act.EndedAt, now)
		acts[i] = act
	}
	r.Acts = acts
	return r
}

// rewind has each trigger be due no later than it would be after a start at this moment.
// A cron that fired is not repeated where the clock went back by little, as at a
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
		case s.fired[i].IsZero() && !t.At.Before(now): // it was taken for a past time
			s.due[i] = t.At
		}
	}
}

// repeatsCron is by how much a clock is set back at least to have a cron come again.
const repeatsCron = 3 * time.Hour

// rewind has nothing that was seen wait for longer than the pause between two firings.
func (w *watching) rewind(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.next {
		if latest := now.Add(watchPause); w.next[i].After(latest) {
			w.next[i] = latest
		}
	}
}

// notAhead has a lane pause for no longer than it ever does, and the patience with what was
// queued when the clock was ahead begin with the pause.
func (l *lane) notAhead(batch []Delivery, now time.Time) {
	l.off.notAhead(now)
	l.unnoted.notAhead(now)
	for i := range batch {
		if !batch[i].Queued.After(now) {
			continue
		}
		if batch[i].Queued = now; !l.since.IsZero() {
			batch[i].Queued = past(l.since, now)
		}
	}
}

// fromLater has a question that was put when the clock was ahead stand for as long as it
// was to, from now on. Only one that has not ended is rewritten.
func (p Approval) fromLater(now time.Time) (ApprovalChange, bool) {
	if p.State.Ended() || !p.Asked.After(now) {
		return ApprovalChange{}, false
	}
	from := p.State
	p.Asked, p.Expires = now, now.Add(p.Counts())
	p.Decided = past(p.Decided, now)
	return ApprovalChange{Approval: p, From: from}, true
}

// Upcoming is when a claim ends at the latest, by a clock that may differ from that of who
// holds it: one that says that it began in the future counts from now on.
func (c HeldClaim) Upcoming(now time.Time) HeldClaim {
	if ahead := c.Since.Sub(now); ahead > 0 {
		c.Since, c.Until = now, c.Until.Add(-ahead)
	}
	return c
}

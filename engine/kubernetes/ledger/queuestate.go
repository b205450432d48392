package ledger

import (
	"cmp"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

const (
	// Limits on the names of handled and of delivered events, each. Dead letters are kept
	// for Options.Forget, up to maxDead and maxDeadBytes.
	handledFor   = 7 * 24 * time.Hour
	maxHandled   = 10_000
	maxDead      = 10_000
	maxDeadBytes = 16 << 20
)

func (s *state) applyQueues(b *batch) {
	for _, e := range b.Events {
		s.noteNumber(e.N)
		if !s.queues.known(e.key()) {
			s.queues.add(e.message())
		}
	}
	for _, h := range b.Handled {
		s.queues.applyHandled(h)
	}
	for _, e := range b.Reopened {
		s.queues.reopen(e)
	}
	for _, u := range b.Unposted {
		if l := s.queues.messages[u.eventKey]; l != nil && l.n == u.N && l.event != nil {
			s.queues.forget(l)
		}
	}
	for _, r := range b.Resent {
		s.noteNumber(r.N)
		if l := s.queues.messages[r.eventKey]; l != nil && l.fate == fateDead && l.n < r.N {
			l.n, l.at = r.N, r.At
			s.queues.setFate(l, fateWaiting, 0, "", false)
		}
	}
}

func (e *event) message() *message {
	return &message{eventKey: e.key(), event: e.Event, fate: fateWaiting, n: e.N, at: e.At}
}

func (l *message) posted() event { return event{l.Agent, l.URL, l.event, l.at, l.n} }

func (l *message) settled() handled {
	h := handled{eventKey: l.eventKey, At: l.since, Fate: l.fate, Why: l.why}
	if l.fate == fateDead {
		h.Of = l.n
	}
	return h
}

// applyHandled ends a message, or moves it behind the others if it was held back. A dead one
// that was resent meanwhile keeps waiting.
func (m *queues) applyHandled(h handled) {
	switch l := m.messages[h.eventKey]; {
	case h.Fate == fateDead || h.Fate == fateWaiting:
		if l != nil && l.fate == fateWaiting && l.n == h.Of {
			m.keep(l, h.Kept)
			m.setFate(l, h.Fate, h.At, h.Why, false)
		}
	case l == nil:
		m.add(&message{eventKey: h.eventKey, fate: h.Fate, since: h.At})
	default:
		m.setFate(l, h.Fate, h.At, "", false)
	}
}

// keep replaces the event of a waiting message; nil leaves it.
func (m *queues) keep(l *message, k *storedEvent) {
	if k != nil {
		m.bytes += k.bytes() - l.event.bytes()
		l.event = k
	}
}

// reopen puts an event at the head of its inbox again, before later events of its source.
func (m *queues) reopen(e event) {
	l := m.messages[e.key()]
	switch {
	case l == nil:
		l = e.message()
		m.add(l)
	case (l.fate == fateWaiting || l.fate == fateDead) && l.n != e.N: // sent again meanwhile
		return
	}
	m.unfile(l)
	l.event, l.at, l.n, l.fate, l.since, l.why = e.Event, e.At, e.N, fateWaiting, 0, ""
	m.file(l, true)
}

// settle ends a delivery; false if it does not wait.
func (s *state) settle(d engine.Settlement, now time.Time) (handled, bool) {
	l := s.queues.byID[d.ID]
	if l == nil || l.fate != fateWaiting || !l.outgoing() {
		return handled{}, false
	}
	h := handled{eventKey: l.eventKey, At: cmp.Or(nanos(d.At), nanos(now)), Fate: fateHandled}
	switch {
	case d.State == engine.UnwantedThere && s.queues.wantedElsewhere(l):
		h.Fate = fateUnwanted
	case d.State != engine.Delivered && d.State != engine.Dropped:
		h.Fate, h.Of, h.Why = fateDead, l.n, truncate(whyBytes, d.Why)
	}
	s.queues.applyHandled(h)
	return h, true
}

// wantedElsewhere reports whether another receiver has the event of a delivery, or may get it.
func (m *queues) wantedElsewhere(of *message) bool {
	return slices.ContainsFunc(m.byName[of.name()], func(l *message) bool {
		switch {
		case l == of:
			return false
		case l.outgoing():
			return l.fate == fateWaiting || l.fate == fateHandled
		}
		return true
	})
}

// bury makes a waiting event of an inbox a dead letter; false if it does not wait.
func (s *state) bury(k eventKey, why string, now time.Time) (handled, bool) {
	l := s.queues.messages[k]
	if l == nil || l.fate != fateWaiting {
		return handled{}, false
	}
	h := handled{eventKey: k, At: nanos(now), Fate: fateDead, Of: l.n, Why: truncate(whyBytes, why)}
	s.queues.applyHandled(h)
	return h, true
}

// fresh returns the numbers of a record's events that are unknown.
func (m *queues) fresh(b *batch) map[eventKey]int64 {
	out := map[eventKey]int64{}
	for i := range b.Events {
		if k := b.Events[i].key(); !m.known(k) {
			out[k] = b.Events[i].N
		}
	}
	return out
}

// prune drops old names and dead letters. It returns how many dead letters exceeded the limits.
func (m *queues) prune(now time.Time, forget time.Duration) (lost int) {
	old, forgotten := now.Add(-handledFor).UnixNano(), now.Add(-forget).UnixNano()
	var here, there []*message
	for _, l := range m.messages {
		switch {
		case l.fate == fateWaiting:
		case l.fate == fateDead && l.since < forgotten, l.fate != fateDead && l.since < old:
			m.forget(l)
		case l.fate == fateDead:
		case l.outgoing():
			there = append(there, l)
		default:
			here = append(here, l)
		}
	}
	for _, names := range [][]*message{here, there} {
		if over := len(names) - maxHandled; over > 0 {
			slices.SortFunc(names, func(a, b *message) int { return cmp.Compare(a.since, b.since) })
			for _, l := range names[:over] {
				m.forget(l)
			}
		}
	}
	_, dead := m.inOrder()
	var bytes int64
	for i, l := range slices.Backward(dead) {
		if bytes += l.event.bytes(); len(dead)-i > maxDead || bytes > maxDeadBytes {
			m.forget(l)
			lost++
		}
	}
	return lost
}

// inOrder returns the messages that have their event: the waiting ones in order of arrival, the
// dead ones in order of death.
func (m *queues) inOrder() (waiting, dead []*message) {
	waiting = slices.Clone(m.outbox)
	for _, b := range m.inboxes {
		waiting = append(waiting, *b...)
	}
	slices.SortFunc(waiting, func(a, b *message) int { return cmp.Compare(a.order, b.order) })
	dead = slices.Clone(m.dead)
	slices.SortStableFunc(dead, func(a, b *message) int { return cmp.Compare(a.since, b.since) })
	return waiting, dead
}

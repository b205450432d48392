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
		if m := s.queues.messages[u.eventKey]; m != nil && m.n == u.N && m.event != nil {
			s.queues.forget(m)
		}
	}
	for _, r := range b.Resent {
		s.noteNumber(r.N)
		if m := s.queues.messages[r.eventKey]; m != nil && m.fate == fateDead && m.n < r.N {
			m.n, m.at = r.N, r.At
			s.queues.setFate(m, fateWaiting, 0, "", false)
		}
	}
}

func (e *event) message() *message {
	return &message{eventKey: e.key(), event: e.Event, fate: fateWaiting, n: e.N, at: e.At}
}

func (m *message) posted() event { return event{m.Agent, m.URL, m.event, m.at, m.n} }

func (m *message) settled() handled {
	h := handled{eventKey: m.eventKey, At: m.since, Fate: m.fate, Why: m.why}
	if m.fate == fateDead {
		h.Of = m.n
	}
	return h
}

// applyHandled ends a message, or moves it behind the others if it was held back. A dead one
// that was resent meanwhile keeps waiting.
func (q *queues) applyHandled(h handled) {
	switch m := q.messages[h.eventKey]; {
	case h.Fate == fateDead || h.Fate == fateWaiting:
		if m != nil && m.fate == fateWaiting && m.n == h.Of {
			q.keep(m, h.Kept)
			q.setFate(m, h.Fate, h.At, h.Why, false)
		}
	case m == nil:
		q.add(&message{eventKey: h.eventKey, fate: h.Fate, since: h.At})
	default:
		q.setFate(m, h.Fate, h.At, "", false)
	}
}

// keep replaces the event of a waiting message; nil leaves it.
func (q *queues) keep(m *message, k *storedEvent) {
	if k != nil {
		q.bytes += k.bytes() - m.event.bytes()
		m.event = k
	}
}

// reopen puts an event at the head of its inbox again, before later events of its source.
func (q *queues) reopen(e event) {
	m := q.messages[e.key()]
	switch {
	case m == nil:
		m = e.message()
		q.add(m)
	case (m.fate == fateWaiting || m.fate == fateDead) && m.n != e.N: // sent again meanwhile
		return
	}
	q.unfile(m)
	m.event, m.at, m.n, m.fate, m.since, m.why = e.Event, e.At, e.N, fateWaiting, 0, ""
	q.file(m, true)
}

// settle ends a delivery; false if it does not wait.
func (s *state) settle(d engine.Ack, now time.Time) (handled, bool) {
	m := s.queues.byID[d.ID]
	if m == nil || m.fate != fateWaiting || !m.outgoing() {
		return handled{}, false
	}
	h := handled{eventKey: m.eventKey, At: cmp.Or(nanos(d.At), nanos(now)), Fate: fateHandled}
	switch {
	case d.State == engine.UnwantedThere && s.queues.wantedElsewhere(m):
		h.Fate = fateUnwanted
	case d.State != engine.Delivered && d.State != engine.Dropped:
		h.Fate, h.Of, h.Why = fateDead, m.n, truncate(whyBytes, d.Why)
	}
	s.queues.applyHandled(h)
	return h, true
}

// wantedElsewhere reports whether another receiver has the event of a delivery, or may get it.
func (q *queues) wantedElsewhere(of *message) bool {
	return slices.ContainsFunc(q.byName[of.name()], func(m *message) bool {
		switch {
		case m == of:
			return false
		case m.outgoing():
			return m.fate == fateWaiting || m.fate == fateHandled
		}
		return true
	})
}

// bury makes a waiting event of an inbox a dead letter; false if it does not wait.
func (s *state) bury(k eventKey, why string, now time.Time) (handled, bool) {
	m := s.queues.messages[k]
	if m == nil || m.fate != fateWaiting {
		return handled{}, false
	}
	h := handled{eventKey: k, At: nanos(now), Fate: fateDead, Of: m.n, Why: truncate(whyBytes, why)}
	s.queues.applyHandled(h)
	return h, true
}

// fresh returns the numbers of a record's events that are unknown.
func (q *queues) fresh(b *batch) map[eventKey]int64 {
	out := map[eventKey]int64{}
	for i := range b.Events {
		if k := b.Events[i].key(); !q.known(k) {
			out[k] = b.Events[i].N
		}
	}
	return out
}

// prune drops old names and dead letters. It returns how many dead letters exceeded the limits.
func (q *queues) prune(now time.Time, forget time.Duration) (lost int) {
	old, forgotten := now.Add(-handledFor).UnixNano(), now.Add(-forget).UnixNano()
	var here, there []*message
	for _, m := range q.messages {
		switch {
		case m.fate == fateWaiting:
		case m.fate == fateDead && m.since < forgotten, m.fate != fateDead && m.since < old:
			q.forget(m)
		case m.fate == fateDead:
		case m.outgoing():
			there = append(there, m)
		default:
			here = append(here, m)
		}
	}
	for _, names := range [][]*message{here, there} {
		if over := len(names) - maxHandled; over > 0 {
			slices.SortFunc(names, func(a, b *message) int { return cmp.Compare(a.since, b.since) })
			for _, m := range names[:over] {
				q.forget(m)
			}
		}
	}
	_, dead := q.inOrder()
	var bytes int64
	for i, m := range slices.Backward(dead) {
		if bytes += m.event.bytes(); len(dead)-i > maxDead || bytes > maxDeadBytes {
			q.forget(m)
			lost++
		}
	}
	return lost
}

// inOrder returns the messages that have their event: the waiting ones in order of arrival, the
// dead ones in order of death.
func (q *queues) inOrder() (waiting, dead []*message) {
	waiting = slices.Clone(q.outbox)
	for _, b := range q.inboxes {
		waiting = append(waiting, *b...)
	}
	slices.SortFunc(waiting, func(a, b *message) int { return cmp.Compare(a.order, b.order) })
	dead = slices.Clone(q.dead)
	slices.SortStableFunc(dead, func(a, b *message) int { return cmp.Compare(a.since, b.since) })
	return waiting, dead
}

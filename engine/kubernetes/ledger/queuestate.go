package ledger

import (
	"cmp"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

const (
	// The names of handled and of delivered events are known for so long, and so many of
	// each. Of dead letters so many, and so many bytes, are kept, for Options.Forget.
	handledFor  = 7 * 24 * time.Hour
	handledMost = 10_000
	deadMost    = 10_000
	deadBytes   = 16 << 20
)

// takeMail takes in what a record says of mail.
func (s *state) takeMail(b *batch) {
	for _, e := range b.Events {
		s.saw(e.N)
		if !s.mail.known(e.key()) {
			s.mail.add(e.letter())
		}
	}
	for _, h := range b.Handled {
		s.mail.came(h)
	}
	for _, e := range b.Reopened {
		s.mail.reopen(e)
	}
	for _, u := range b.Unposted {
		if l := s.mail.letters[u.eventKey]; l != nil && l.n == u.N && l.event != nil {
			s.mail.forget(l)
		}
	}
	for _, r := range b.Resent {
		s.saw(r.N)
		if l := s.mail.letters[r.eventKey]; l != nil && l.fate == dead && l.n < r.N {
			l.n, l.at = r.N, r.At
			s.mail.become(l, waits, 0, "", false)
		}
	}
}

func (e *event) letter() *letter {
	return &letter{eventKey: e.key(), event: e.Event, fate: waits, n: e.N, at: e.At}
}

func (l *letter) posted() event { return event{l.Agent, l.URL, l.event, l.at, l.n} }

func (l *letter) settled() handled {
	h := handled{eventKey: l.eventKey, At: l.since, Fate: l.fate, Why: l.why}
	if l.fate == dead {
		h.Of = l.n
	}
	return h
}

// came is the end of a letter, or has it wait on behind the others. A dead one that was
// sent again meanwhile waits on.
func (m *mail) came(h handled) {
	switch l := m.letters[h.eventKey]; {
	case h.Fate == dead || h.Fate == waits:
		if l != nil && l.fate == waits && l.n == h.Of {
			m.keep(l, h.Kept)
			m.become(l, h.Fate, h.At, h.Why, false)
		}
	case l == nil:
		m.add(&letter{eventKey: h.eventKey, fate: h.Fate, since: h.At})
	default:
		m.become(l, h.Fate, h.At, "", false)
	}
}

// keep changes what is kept of a letter that waits.
func (m *mail) keep(l *letter, k *kept) {
	if k != nil {
		m.bytes += k.bytes() - l.event.bytes()
		l.event = k
	}
}

// reopen has an event wait again at the head of its inbox: what came from its source
// after it still comes after it.
func (m *mail) reopen(e event) {
	l := m.letters[e.key()]
	switch {
	case l == nil:
		l = e.letter()
		m.add(l)
	case (l.fate == waits || l.fate == dead) && l.n != e.N: // sent again meanwhile
		return
	}
	m.unfile(l)
	l.event, l.at, l.n, l.fate, l.since, l.why = e.Event, e.At, e.N, waits, 0, ""
	m.file(l, true)
}

// settle is what becomes of a delivery; false if it does not wait.
func (s *state) settle(d engine.Settlement, now time.Time) (handled, bool) {
	l := s.mail.byID[d.ID]
	if l == nil || l.fate != waits || !l.outgoing() {
		return handled{}, false
	}
	h := handled{eventKey: l.eventKey, At: cmp.Or(nanos(d.At), nanos(now)), Fate: took}
	switch {
	case d.State == engine.UnwantedThere && s.mail.elsewhere(l):
		h.Fate = unwanted
	case d.State != engine.Delivered && d.State != engine.Dropped:
		h.Fate, h.Of, h.Why = dead, l.n, shortenTo(whyBytes, d.Why)
	}
	s.mail.came(h)
	return h, true
}

// elsewhere tells whether anybody else took the event of a delivery, or may yet.
func (m *mail) elsewhere(of *letter) bool {
	return slices.ContainsFunc(m.byName[of.name()], func(l *letter) bool {
		switch {
		case l == of:
			return false
		case l.outgoing():
			return l.fate == waits || l.fate == took
		}
		return true
	})
}

// bury makes a waiting event of an inbox a dead letter; false if it does not wait.
func (s *state) bury(k eventKey, why string, now time.Time) (handled, bool) {
	l := s.mail.letters[k]
	if l == nil || l.fate != waits {
		return handled{}, false
	}
	h := handled{eventKey: k, At: nanos(now), Fate: dead, Of: l.n, Why: shortenTo(whyBytes, why)}
	s.mail.came(h)
	return h, true
}

// fresh are the events of a record that are not known, by their number.
func (m *mail) fresh(b *batch) map[eventKey]int64 {
	out := map[eventKey]int64{}
	for i := range b.Events {
		if k := b.Events[i].key(); !m.known(k) {
			out[k] = b.Events[i].N
		}
	}
	return out
}

// prune drops the names that nobody sends again, and dead letters that nobody asked
// for. It returns how many of those were dropped because there were too many.
func (m *mail) prune(now time.Time, forget time.Duration) (lost int) {
	old, forgotten := now.Add(-handledFor).UnixNano(), now.Add(-forget).UnixNano()
	var here, there []*letter
	for _, l := range m.letters {
		switch {
		case l.fate == waits:
		case l.fate == dead && l.since < forgotten, l.fate != dead && l.since < old:
			m.forget(l)
		case l.fate == dead:
		case l.outgoing():
			there = append(there, l)
		default:
			here = append(here, l)
		}
	}
	for _, names := range [][]*letter{here, there} {
		if over := len(names) - handledMost; over > 0 {
			slices.SortFunc(names, func(a, b *letter) int { return cmp.Compare(a.since, b.since) })
			for _, l := range names[:over] {
				m.forget(l)
			}
		}
	}
	_, dead := m.inOrder()
	var bytes int64
	for i, l := range slices.Backward(dead) {
		if bytes += l.event.bytes(); len(dead)-i > deadMost || bytes > deadBytes {
			m.forget(l)
			lost++
		}
	}
	return lost
}

// inOrder are all letters that have their event: those that wait as they came, and
// the dead as they died.
func (m *mail) inOrder() (waiting, dead []*letter) {
	waiting = slices.Clone(m.outbox)
	for _, b := range m.inboxes {
		waiting = append(waiting, *b...)
	}
	slices.SortFunc(waiting, func(a, b *letter) int { return cmp.Compare(a.order, b.order) })
	dead = slices.Clone(m.dead)
	slices.SortStableFunc(dead, func(a, b *letter) int { return cmp.Compare(a.since, b.since) })
	return waiting, dead
}

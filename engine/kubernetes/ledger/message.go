package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
)

// letter is an event in one inbox or for one destination, for as long as it is known
// there.
//
//	waits ---- handled, delivered ----> took        its name is kept, its event is not
//	  | ^ \---- nobody wants it there -> unwanted   likewise
//	  | +------ sent again ------\
//	  +-------- a person's now ---> dead
type letter struct {
	eventKey
	id    string
	event *kept // nil once only the name is kept
	fate  fate
	n     int64 // tells the same name, come again, from this one
	at    int64 // when it was queued
	since int64 // when it came to its fate
	why   string
	order int64 // in its box
}

type fate string

const (
	waits    fate = "w"
	took     fate = "" // in a record too: most are
	unwanted fate = "u"
	dead     fate = "d"
)

// eventName is what an event is known by, wherever it goes.
type eventName struct{ source, id string }

func (k *eventKey) name() eventName { return eventName{k.Source, k.ID} }

// outgoing tells a delivery from an event in an inbox.
func (k *eventKey) outgoing() bool { return k.URL != "" }

// letterID names a letter to persons and to who delivers it, under every leader alike.
func (k *eventKey) letterID() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q", k.Agent, k.URL, k.Source, k.ID))
	return hex.EncodeToString(sum[:12])
}

// box is letters in their order.
type box []*letter

func (b *box) find(l *letter) (int, bool) {
	return slices.BinarySearchFunc(*b, l.order, func(l *letter, order int64) int { return int(l.order - order) })
}

func (b *box) put(l *letter) {
	i, _ := b.find(l)
	*b = slices.Insert(*b, i, l)
}

func (b *box) drop(l *letter) {
	if i, there := b.find(l); there {
		*b = slices.Delete(*b, i, i+1)
	}
}

// mail is all letters that a log knows.
type mail struct {
	letters      map[eventKey]*letter
	byName       map[eventName][]*letter
	byID         map[string]*letter // those that have their event
	inboxes      map[string]*box
	outbox, dead box
	// last is the order of the youngest, first that of what came back to the head.
	last, first int64
	// bytes is what waits, in all boxes; an event in several places counts in each.
	bytes int64
}

func newMail() mail {
	return mail{letters: map[eventKey]*letter{}, byName: map[eventName][]*letter{}, byID: map[string]*letter{}, inboxes: map[string]*box{}}
}

func (m *mail) known(k eventKey) bool { return m.letters[k] != nil }

// waiting is how many wait in an inbox.
func (m *mail) waiting(agent string) int {
	if b := m.inboxes[agent]; b != nil {
		return len(*b)
	}
	return 0
}

// add takes a letter in that is not known. It waits, or has come to its fate.
func (m *mail) add(l *letter) {
	m.letters[l.eventKey] = l
	m.byName[l.name()] = append(m.byName[l.name()], l)
	m.file(l, false)
}

// forget drops a letter, and its name.
func (m *mail) forget(l *letter) {
	m.unfile(l)
	delete(m.letters, l.eventKey)
	left := slices.DeleteFunc(m.byName[l.name()], func(o *letter) bool { return o == l })
	if len(left) == 0 {
		delete(m.byName, l.name())
	} else {
		m.byName[l.name()] = left
	}
}

// become moves a letter to where its new fate belongs: behind the others, or back to
// the head of its box.
func (m *mail) become(l *letter, f fate, since int64, why string, head bool) {
	m.unfile(l)
	l.fate, l.since, l.why = f, since, why
	if f == took || f == unwanted {
		l.event = nil
	}
	m.file(l, head)
}

func (m *mail) file(l *letter, head bool) {
	b := m.box(l)
	if b == nil {
		return
	}
	if head {
		m.first--
		l.order = m.first
	} else {
		m.last++
		l.order = m.last
	}
	if l.id == "" {
		l.id = l.letterID()
	}
	m.byID[l.id] = l
	b.put(l)
	if l.fate == waits {
		m.bytes += l.event.bytes()
	}
}

func (m *mail) unfile(l *letter) {
	b := m.box(l)
	if b == nil {
		return
	}
	b.drop(l)
	delete(m.byID, l.id)
	if l.fate == waits {
		m.bytes -= l.event.bytes()
	}
	if l.fate == waits && !l.outgoing() && len(*b) == 0 {
		delete(m.inboxes, l.Agent)
	}
}

// box is where a letter is, nil if only its name is kept.
func (m *mail) box(l *letter) *box {
	switch {
	case l.fate == dead:
		return &m.dead
	case l.fate != waits:
		return nil
	case l.outgoing():
		return &m.outbox
	}
	if m.inboxes[l.Agent] == nil {
		m.inboxes[l.Agent] = &box{}
	}
	return m.inboxes[l.Agent]
}

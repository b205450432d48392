package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
)

// message is an event in one inbox, or for one destination:
//
//	waiting ---- handled, delivered ------> handled    only its name is kept
//	  | ^ \----- nobody wants it there ---> unwanted   only its name is kept
//	  | +------- sent again ------\
//	  +--------- failed for good ---> dead
type message struct {
	eventKey
	id    string
	event *storedEvent // nil when only the name is kept
	fate  fate
	n     int64 // distinguishes it from a later message of the same name
	at    int64 // when it was queued
	since int64 // when its fate was decided
	why   string
	order int64 // position in its box
}

type fate string

const (
	fateWaiting  fate = "w"
	fateHandled  fate = "" // the most frequent, so it is short in records
	fateUnwanted fate = "u"
	fateDead     fate = "d"
)

// eventName identifies an event in all boxes.
type eventName struct{ source, id string }

func (k *eventKey) name() eventName { return eventName{k.Source, k.ID} }

// outgoing reports whether it is a delivery and not an event in an inbox.
func (k *eventKey) outgoing() bool { return k.URL != "" }

// messageID is the message's ID for persons and receivers, which is the same under all leaders.
func (k *eventKey) messageID() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q", k.Agent, k.URL, k.Source, k.ID))
	return hex.EncodeToString(sum[:12])
}

// box holds messages in order.
type box []*message

func (b *box) find(l *message) (int, bool) {
	return slices.BinarySearchFunc(*b, l.order, func(l *message, order int64) int { return int(l.order - order) })
}

func (b *box) put(l *message) {
	i, _ := b.find(l)
	*b = slices.Insert(*b, i, l)
}

func (b *box) drop(l *message) {
	if i, there := b.find(l); there {
		*b = slices.Delete(*b, i, i+1)
	}
}

// queues are all messages of a log.
type queues struct {
	messages     map[eventKey]*message
	byName       map[eventName][]*message
	byID         map[string]*message // those with their event
	inboxes      map[string]*box
	outbox, dead box
	last, first  int64 // the highest and the lowest order in use
	bytes        int64 // of the waiting events, counted in each box
}

func newQueues() queues {
	return queues{messages: map[eventKey]*message{}, byName: map[eventName][]*message{}, byID: map[string]*message{}, inboxes: map[string]*box{}}
}

func (m *queues) known(k eventKey) bool { return m.messages[k] != nil }

// waiting returns how many events are in an inbox.
func (m *queues) waiting(agent string) int {
	if b := m.inboxes[agent]; b != nil {
		return len(*b)
	}
	return 0
}

// add adds an unknown message.
func (m *queues) add(l *message) {
	m.messages[l.eventKey] = l
	m.byName[l.name()] = append(m.byName[l.name()], l)
	m.file(l, false)
}

// forget removes a message and its name.
func (m *queues) forget(l *message) {
	m.unfile(l)
	delete(m.messages, l.eventKey)
	left := slices.DeleteFunc(m.byName[l.name()], func(o *message) bool { return o == l })
	if len(left) == 0 {
		delete(m.byName, l.name())
	} else {
		m.byName[l.name()] = left
	}
}

// setFate moves a message to the box of its new fate, at the end or, for head, at the front.
func (m *queues) setFate(l *message, f fate, since int64, why string, head bool) {
	m.unfile(l)
	l.fate, l.since, l.why = f, since, why
	if f == fateHandled || f == fateUnwanted {
		l.event = nil
	}
	m.file(l, head)
}

func (m *queues) file(l *message, head bool) {
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
		l.id = l.messageID()
	}
	m.byID[l.id] = l
	b.put(l)
	if l.fate == fateWaiting {
		m.bytes += l.event.bytes()
	}
}

func (m *queues) unfile(l *message) {
	b := m.box(l)
	if b == nil {
		return
	}
	b.drop(l)
	delete(m.byID, l.id)
	if l.fate == fateWaiting {
		m.bytes -= l.event.bytes()
	}
	if l.fate == fateWaiting && !l.outgoing() && len(*b) == 0 {
		delete(m.inboxes, l.Agent)
	}
}

// box returns the box of a message, or nil if only its name is kept.
func (m *queues) box(l *message) *box {
	switch {
	case l.fate == fateDead:
		return &m.dead
	case l.fate != fateWaiting:
		return nil
	case l.outgoing():
		return &m.outbox
	}
	if m.inboxes[l.Agent] == nil {
		m.inboxes[l.Agent] = &box{}
	}
	return m.inboxes[l.Agent]
}

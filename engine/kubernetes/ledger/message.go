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

func (b *box) find(m *message) (int, bool) {
	return slices.BinarySearchFunc(*b, m.order, func(m *message, order int64) int { return int(m.order - order) })
}

func (b *box) put(m *message) {
	i, _ := b.find(m)
	*b = slices.Insert(*b, i, m)
}

func (b *box) drop(m *message) {
	if i, there := b.find(m); there {
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

func (q *queues) known(k eventKey) bool { return q.messages[k] != nil }

// waiting returns how many events are in an inbox.
func (q *queues) waiting(agent string) int {
	if b := q.inboxes[agent]; b != nil {
		return len(*b)
	}
	return 0
}

// add adds an unknown message.
func (q *queues) add(m *message) {
	q.messages[m.eventKey] = m
	q.byName[m.name()] = append(q.byName[m.name()], m)
	q.file(m, false)
}

// forget removes a message and its name.
func (q *queues) forget(m *message) {
	q.unfile(m)
	delete(q.messages, m.eventKey)
	left := slices.DeleteFunc(q.byName[m.name()], func(o *message) bool { return o == m })
	if len(left) == 0 {
		delete(q.byName, m.name())
	} else {
		q.byName[m.name()] = left
	}
}

// setFate moves a message to the box of its new fate, at the end or, for head, at the front.
func (q *queues) setFate(m *message, f fate, since int64, why string, head bool) {
	q.unfile(m)
	m.fate, m.since, m.why = f, since, why
	if f == fateHandled || f == fateUnwanted {
		m.event = nil
	}
	q.file(m, head)
}

func (q *queues) file(m *message, head bool) {
	b := q.box(m)
	if b == nil {
		return
	}
	if head {
		q.first--
		m.order = q.first
	} else {
		q.last++
		m.order = q.last
	}
	if m.id == "" {
		m.id = m.messageID()
	}
	q.byID[m.id] = m
	b.put(m)
	if m.fate == fateWaiting {
		q.bytes += m.event.bytes()
	}
}

func (q *queues) unfile(m *message) {
	b := q.box(m)
	if b == nil {
		return
	}
	b.drop(m)
	delete(q.byID, m.id)
	if m.fate == fateWaiting {
		q.bytes -= m.event.bytes()
	}
	if m.fate == fateWaiting && !m.outgoing() && len(*b) == 0 {
		delete(q.inboxes, m.Agent)
	}
}

// box returns the box of a message, or nil if only its name is kept.
func (q *queues) box(m *message) *box {
	switch {
	case m.fate == fateDead:
		return &q.dead
	case m.fate != fateWaiting:
		return nil
	case m.outgoing():
		return &q.outbox
	}
	if q.inboxes[m.Agent] == nil {
		q.inboxes[m.Agent] = &box{}
	}
	return q.inboxes[m.Agent]
}

package ledger

import (
	"cmp"
	"slices"

	"github.com/scanflow-k8s/scanflow/engine"
)

// A negative limit means none.

func (q *queues) inbox(agent string, limit int) []*storedEvent {
	var waiting box
	if b := q.inboxes[agent]; b != nil {
		waiting = *b
	}
	if limit >= 0 && len(waiting) > limit {
		waiting = waiting[:limit]
	}
	out := make([]*storedEvent, len(waiting))
	for i, m := range waiting {
		out[i] = m.event
	}
	return out
}

func (m *message) to() engine.Destination { return engine.Destination{URL: m.URL, Agent: m.Agent} }

func (q *queues) deliveries(limit int) []engine.Delivery {
	type line struct {
		to     engine.Destination
		source string
	}
	lines := map[line]int{}
	var out []engine.Delivery
	for _, m := range q.outbox {
		in := line{m.to(), m.Source}
		if lines[in]++; limit < 0 || lines[in] <= limit {
			out = append(out, engine.Delivery{ID: m.id, Event: engine.Event(*m.event), To: m.to(), Queued: timeOf(m.at)})
		}
	}
	return out
}

// list returns all messages that have their event, oldest first, up to limit in each box.
func (q *queues) list(agent string, limit int) []engine.Message {
	waiting, gone := q.inOrder()
	counts := map[string]int{}
	var out []engine.Message
	for _, m := range slices.Concat(waiting, gone) {
		box := m.boxName()
		if agent != "" && m.Agent != agent || limit >= 0 && counts[box] == limit {
			continue
		}
		counts[box]++
		out = append(out, engine.Message{ID: m.id, Box: box, Agent: m.Agent, To: m.URL, Event: engine.Event(*m.event), Since: timeOf(m.age()), Why: m.reason()})
	}
	slices.SortStableFunc(out, func(a, b engine.Message) int { return a.Since.Compare(b.Since) })
	return out
}

// age returns since when it is in its box.
func (m *message) age() int64 {
	if m.fate == fateWaiting {
		return m.at
	}
	return m.since
}

// reason says why it is dead, or why a guard holds it back.
func (m *message) reason() string {
	if m.event.Deferral != nil {
		return cmp.Or(m.why, m.event.Deferral.Why)
	}
	return m.why
}

func (m *message) boxName() string {
	switch {
	case m.fate == fateDead:
		return engine.BoxDead
	case m.outgoing():
		return engine.BoxOutbox
	}
	return engine.BoxInbox
}

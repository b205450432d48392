package ledger

import (
	"cmp"
	"slices"

	"github.com/scanflow-k8s/scanflow/engine"
)

// A negative limit means none.

func (m *queues) inbox(agent string, limit int) []*storedEvent {
	var waiting box
	if b := m.inboxes[agent]; b != nil {
		waiting = *b
	}
	if limit >= 0 && len(waiting) > limit {
		waiting = waiting[:limit]
	}
	out := make([]*storedEvent, len(waiting))
	for i, l := range waiting {
		out[i] = l.event
	}
	return out
}

func (l *message) to() engine.Destination { return engine.Destination{URL: l.URL, Agent: l.Agent} }

func (m *queues) deliveries(limit int) []engine.Delivery {
	type line struct {
		to     engine.Destination
		source string
	}
	lines := map[line]int{}
	var out []engine.Delivery
	for _, l := range m.outbox {
		in := line{l.to(), l.Source}
		if lines[in]++; limit < 0 || lines[in] <= limit {
			out = append(out, engine.Delivery{ID: l.id, Event: engine.Event(*l.event), To: l.to(), Queued: timeOf(l.at)})
		}
	}
	return out
}

// list returns all messages that have their event, oldest first, up to limit in each box.
func (m *queues) list(agent string, limit int) []engine.Letter {
	waiting, gone := m.inOrder()
	counts := map[string]int{}
	var out []engine.Letter
	for _, l := range slices.Concat(waiting, gone) {
		box := l.boxName()
		if agent != "" && l.Agent != agent || limit >= 0 && counts[box] == limit {
			continue
		}
		counts[box]++
		out = append(out, engine.Letter{ID: l.id, Box: box, Agent: l.Agent, To: l.URL, Event: engine.Event(*l.event), Since: timeOf(l.age()), Why: l.reason()})
	}
	slices.SortStableFunc(out, func(a, b engine.Letter) int { return a.Since.Compare(b.Since) })
	return out
}

// age returns since when it is in its box.
func (l *message) age() int64 {
	if l.fate == fateWaiting {
		return l.at
	}
	return l.since
}

// reason says why it is dead, or why a guard holds it back.
func (l *message) reason() string {
	if l.event.Held != nil {
		return cmp.Or(l.why, l.event.Held.Why)
	}
	return l.why
}

func (l *message) boxName() string {
	switch {
	case l.fate == fateDead:
		return engine.BoxDead
	case l.outgoing():
		return engine.BoxOutbox
	}
	return engine.BoxInbox
}

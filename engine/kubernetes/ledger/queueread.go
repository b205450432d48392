package ledger

import (
	"cmp"
	"slices"

	"github.com/scanflow-k8s/scanflow/engine"
)

// A limit below zero is none.

func (m *mail) inbox(agent string, limit int) []*kept {
	var waiting box
	if b := m.inboxes[agent]; b != nil {
		waiting = *b
	}
	if limit >= 0 && len(waiting) > limit {
		waiting = waiting[:limit]
	}
	out := make([]*kept, len(waiting))
	for i, l := range waiting {
		out[i] = l.event
	}
	return out
}

func (l *letter) to() engine.Destination { return engine.Destination{URL: l.URL, Agent: l.Agent} }

func (m *mail) deliveries(limit int) []engine.Delivery {
	type line struct {
		to     engine.Destination
		source string
	}
	lines := map[line]int{}
	var out []engine.Delivery
	for _, l := range m.outbox {
		in := line{l.to(), l.Source}
		if lines[in]++; limit < 0 || lines[in] <= limit {
			out = append(out, engine.Delivery{ID: l.id, Event: engine.Event(*l.event), To: l.to(), Queued: moment(l.at)})
		}
	}
	return out
}

// list is all that a person may want to see, oldest first; so many of each box.
func (m *mail) list(agent string, limit int) []engine.Letter {
	waiting, gone := m.inOrder()
	counts := map[string]int{}
	var out []engine.Letter
	for _, l := range slices.Concat(waiting, gone) {
		box := l.inBox()
		if agent != "" && l.Agent != agent || limit >= 0 && counts[box] == limit {
			continue
		}
		counts[box]++
		out = append(out, engine.Letter{ID: l.id, Box: box, Agent: l.Agent, To: l.URL, Event: engine.Event(*l.event), Since: moment(l.age()), Why: l.whyHere()})
	}
	slices.SortStableFunc(out, func(a, b engine.Letter) int { return a.Since.Compare(b.Since) })
	return out
}

// age is since when it is where it is.
func (l *letter) age() int64 {
	if l.fate == waits {
		return l.at
	}
	return l.since
}

// whyHere is why it is dead, or why it waits for a guard.
func (l *letter) whyHere() string {
	if l.event.Held != nil {
		return cmp.Or(l.why, l.event.Held.Why)
	}
	return l.why
}

func (l *letter) inBox() string {
	switch {
	case l.fate == dead:
		return engine.BoxDead
	case l.outgoing():
		return engine.BoxOutbox
	}
	return engine.BoxInbox
}

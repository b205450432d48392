package ledger

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// The memory of an alert is kept for so long, which is longer than the names of
// its events are, and of so many alerts.
const (
	heardFor  = 2 * handledFor
	heardMost = handledMost
)

// heard is an engine.AlertMemory. A record with events
// about alerts says it with the ids that they are kept under, so that both are there or
// neither is, and whoever reads the record again decides nothing afresh.
type heard struct {
	Source   string `json:"s"`
	Name     string `json:"a"`
	ID       string `json:"i"`
	Said     string `json:"d,omitempty"`
	Resolved bool   `json:"r,omitempty"`
	Starts   int64  `json:"b"`
	Ended    int64  `json:"e,omitempty"`
	Turn     int64  `json:"t,omitempty"`
	N        int64  `json:"n"`
	At       int64  `json:"at"`
}

// alertKey is an alert of a source.
type alertKey struct{ source, name string }

func (h *heard) key() alertKey { return alertKey{h.Source, h.Name} }

func (h *heard) memory() *engine.AlertMemory {
	return &engine.AlertMemory{ID: h.ID, Said: h.Said, Resolved: h.Resolved, Starts: moment(h.Starts), Ended: moment(h.Ended), Turn: h.Turn}
}

func heardOf(k alertKey, m engine.AlertMemory, s stamp) heard {
	return heard{k.source, k.name, m.ID, m.Said, m.Resolved, nanos(m.Starts), nanos(m.Ended), m.Turn, s.n, s.at}
}

// takeAlerts takes in what a record says of alerts. An older one may be read again.
func (s *state) takeAlerts(b *batch) {
	for _, h := range b.Alerts {
		s.saw(h.N)
		if s.alerts[h.key()].N < h.N {
			s.alerts[h.key()] = h
		}
	}
}

// alertsOf are the alerts that postings are about.
func alertsOf(postings []engine.Posting) []alertKey {
	var out []alertKey
	for i := range postings {
		if e := &postings[i].Event; e.Alert != nil {
			out = append(out, alertKey{e.Source, e.Alert.Name})
		}
	}
	return out
}

// hear makes an op's record anew, of events about alerts under the ids that they are kept
// under, by what the log holds by now. Nobody else writes until it is written. The mutex
// is held.
func (l *Ledger) hear(o *op) error {
	s := l.stampNow()
	postings := slices.Clone(o.alerts)
	said := map[alertKey]heard{}
	for i := range postings {
		e := &postings[i].Event
		if e.Alert == nil {
			continue
		}
		k := alertKey{e.Source, e.Alert.Name}
		h, known := said[k]
		if !known {
			h, known = l.state.alerts[k]
		}
		var last *engine.AlertMemory
		if known {
			last = h.memory()
		}
		id, now := e.Alert.Hear(last, e.ID, s.n)
		if e.ID = id; last == nil || now != *last {
			said[k] = heardOf(k, now, s)
		}
	}
	b := &batch{Events: eventsOf(postings, s), Handled: o.b.Handled, Alerts: slices.SortedFunc(maps.Values(said), byAlert)}
	made, err := l.newOp(b)
	if err != nil {
		return fmt.Errorf("with what is said of its alerts: %w", err)
	}
	o.b, o.record = made.b, made.record
	return nil
}

func byAlert(a, b heard) int {
	return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Name, b.Name))
}

// pruneAlerts drops what nobody needs to know a repeat by any more.
func (s *state) pruneAlerts(now time.Time) {
	old := now.Add(-heardFor).UnixNano()
	maps.DeleteFunc(s.alerts, func(_ alertKey, h heard) bool { return h.At < old })
	if over := len(s.alerts) - heardMost; over > 0 {
		oldest := slices.SortedFunc(maps.Values(s.alerts), func(a, b heard) int { return cmp.Or(cmp.Compare(a.N, b.N), byAlert(a, b)) })
		for _, h := range oldest[:over] {
			delete(s.alerts, h.key())
		}
	}
}

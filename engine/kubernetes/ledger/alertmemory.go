package ledger

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Alerts are remembered for alertMemoryFor, which is longer than the names of their
// events, but maxAlerts at most.
const (
	alertMemoryFor = 2 * handledFor
	maxAlerts      = maxHandled
)

// alertRecord is an engine.AlertMemory. A record of events about alerts contains it together
// with the final ids of the events. So both are stored or neither, and applying the record
// again decides nothing anew.
type alertRecord struct {
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

// alertKey identifies an alert of a source.
type alertKey struct{ source, name string }

func (h *alertRecord) key() alertKey { return alertKey{h.Source, h.Name} }

func (h *alertRecord) memory() *engine.AlertMemory {
	return &engine.AlertMemory{ID: h.ID, Said: h.Said, Resolved: h.Resolved, Starts: timeOf(h.Starts), Ended: timeOf(h.Ended), Turn: h.Turn}
}

func alertRecordOf(k alertKey, m engine.AlertMemory, s stamp) alertRecord {
	return alertRecord{k.source, k.name, m.ID, m.Said, m.Resolved, nanos(m.Starts), nanos(m.Ended), m.Turn, s.n, s.at}
}

// applyAlerts applies a record's alerts. An older record may be applied again.
func (s *state) applyAlerts(b *batch) {
	for _, h := range b.Alerts {
		s.noteNumber(h.N)
		if s.alerts[h.key()].N < h.N {
			s.alerts[h.key()] = h
		}
	}
}

// alertsOf returns the alerts that postings are about.
func alertsOf(postings []engine.Envelope) []alertKey {
	var out []alertKey
	for i := range postings {
		if e := &postings[i].Event; e.Alert != nil {
			out = append(out, alertKey{e.Source, e.Alert.Name})
		}
	}
	return out
}

// resolveAlerts builds an op's record anew, with the ids that its events about alerts get by
// the current state of the log. The mutex is held, and nothing else is written until the
// record is.
func (l *Ledger) resolveAlerts(o *op) error {
	s := l.stampNow()
	postings := slices.Clone(o.alerts)
	updated := map[alertKey]alertRecord{}
	for i := range postings {
		e := &postings[i].Event
		if e.Alert == nil {
			continue
		}
		k := alertKey{e.Source, e.Alert.Name}
		h, known := updated[k]
		if !known {
			h, known = l.state.alerts[k]
		}
		var last *engine.AlertMemory
		if known {
			last = h.memory()
		}
		id, now := e.Alert.Next(last, e.ID, s.n)
		if e.ID = id; last == nil || now != *last {
			updated[k] = alertRecordOf(k, now, s)
		}
	}
	b := &batch{Events: eventsOf(postings, s), Handled: o.b.Handled, Alerts: slices.SortedFunc(maps.Values(updated), byAlert)}
	made, err := l.newOp(b)
	if err != nil {
		return fmt.Errorf("with what is said of its alerts: %w", err)
	}
	o.b, o.record = made.b, made.record
	return nil
}

func byAlert(a, b alertRecord) int {
	return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Name, b.Name))
}

// pruneAlerts drops alerts that are no longer needed to recognize a repeat.
func (s *state) pruneAlerts(now time.Time) {
	old := now.Add(-alertMemoryFor).UnixNano()
	maps.DeleteFunc(s.alerts, func(_ alertKey, h alertRecord) bool { return h.At < old })
	if over := len(s.alerts) - maxAlerts; over > 0 {
		oldest := slices.SortedFunc(maps.Values(s.alerts), func(a, b alertRecord) int { return cmp.Or(cmp.Compare(a.N, b.N), byAlert(a, b)) })
		for _, h := range oldest[:over] {
			delete(s.alerts, h.key())
		}
	}
}

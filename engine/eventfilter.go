package engine

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
)

// The types of the events that alerts become.
const (
	AlertFiring   = "dev.scanflow.alert.firing"
	AlertResolved = "dev.scanflow.alert.resolved"
)

// EventFilter selects the events that fire a trigger, by type, sender and labels.
type EventFilter struct {
	// Types are the CloudEvents types.
	Types []string
	// From are the accepted senders: an agent as namespace/name, or the name of a declared
	// sender. Nil accepts every agent of this installation, and the operator.
	From []string
	// Labels are those that an alert must have.
	Labels map[string]string
}

// Matches reports whether the event is of a kind that fires the trigger, regardless of its
// sender.
func (f *EventFilter) Matches(e *Event, labels EventLabels) bool {
	if !slices.Contains(f.Types, e.Type) {
		return false
	}
	if len(f.Labels) == 0 {
		return true
	}
	has := labels()
	for name, value := range f.Labels {
		if has[name] != value {
			return false
		}
	}
	return true
}

// Accepts reports whether the trigger accepts the event's sender. Names of agents contain
// a slash, those of declared senders do not.
func (f *EventFilter) Accepts(e *Event) bool {
	if f.From == nil {
		return e.Sender == OperatorSender || strings.Contains(e.Sender, "/")
	}
	return slices.Contains(f.From, e.Sender)
}

// EventLabels returns the labels of an alert's event. The data is decoded at most once, and
// only where a trigger of the event's type asks for labels.
type EventLabels func() map[string]any

// Labels returns the labels in the event's data.
func (e *Event) Labels() EventLabels {
	return sync.OnceValue(func() map[string]any {
		switch data := e.Data.(type) {
		case map[string]any:
			found, _ := data["labels"].(map[string]any)
			return found
		case json.RawMessage:
			var alert struct {
				Labels map[string]any `json:"labels"`
			}
			if json.Unmarshal(data, &alert) == nil {
				return alert.Labels
			}
		}
		return nil
	})
}

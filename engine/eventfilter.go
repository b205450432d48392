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

// EventFilter says which events fire a trigger, and from whom.
type EventFilter struct {
	// Types are the CloudEvents types.
	Types []string
	// From are the senders it is taken from: an agent as namespace/name, or a declared
	// sender's name. Nil is every agent of this installation, and the operator.
	From []string
	// Labels are those that an alert must have.
	Labels map[string]string
}

// wants tells whether the event is of a kind that fires the trigger, whoever sent it.
func (f *EventFilter) wants(e *Event, labels labels) bool {
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

// takes tells whether it is taken from its sender. Names of agents have a slash, and
// those of declared senders have none.
func (f *EventFilter) takes(e *Event) bool {
	if f.From == nil {
		return e.Sender == OperatorSender || strings.Contains(e.Sender, "/")
	}
	return slices.Contains(f.From, e.Sender)
}

// eventTrigger is the first trigger that the event fires; nil if there is none.
func eventTrigger(triggers []Trigger, e *Event, labels labels) *Trigger {
	for i := range triggers {
		if f := triggers[i].events(); f != nil && f.wants(e, labels) && f.takes(e) {
			return &triggers[i]
		}
	}
	return nil
}

// events is the filter of a trigger that events fire; nil for the others.
func (t *Trigger) events() *EventFilter {
	if t.Event != nil {
		return t.Event
	}
	return t.Alert
}

// labels are those of an alert's event. They are looked for once, and only where a
// trigger of the event's type asks for them: data that nobody takes is decoded by nobody.
type labels func() map[string]any

func labelsOf(e *Event) labels {
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

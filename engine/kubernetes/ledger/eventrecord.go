package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/scanflow-k8s/scanflow/engine"
)

// event is an event in an inbox, or for a destination.
type event struct {
	Agent string       `json:"a,omitempty"` // the inbox's agent, or the sender
	URL   string       `json:"u,omitempty"` // the destination
	Event *storedEvent `json:"e,omitempty"`
	At    int64        `json:"at,omitempty"` // when it was queued
	N     int64        `json:"n,omitempty"`
}

// eventKey identifies an event in one box.
type eventKey struct {
	Agent  string `json:"a"`
	URL    string `json:"u,omitempty"`
	Source string `json:"s"`
	ID     string `json:"i"`
}

// handled is the end of an event in one box, or that it was held back there.
type handled struct {
	eventKey
	At   int64        `json:"at"`
	Fate fate         `json:"f,omitempty"`
	Of   int64        `json:"of,omitempty"` // the number of one that is dead or held back
	Why  string       `json:"w,omitempty"`
	Kept *storedEvent `json:"k,omitempty"` // replaces the stored event; may be nil
}

// numbered is the key and number of a message.
type numbered struct {
	eventKey
	N  int64 `json:"n"`
	At int64 `json:"at,omitempty"`
}

func (e *event) key() eventKey { return eventKey{e.Agent, e.URL, e.Event.Source, e.Event.ID} }

// events encode an event in several boxes only once.
type events []event

func (es events) MarshalJSON() ([]byte, error) {
	plain := make([]event, len(es))
	for i, e := range es {
		if plain[i] = e; i > 0 && e.Event == es[i-1].Event {
			plain[i].Event = nil
		}
	}
	return json.Marshal(plain)
}

func (es *events) UnmarshalJSON(raw []byte) error {
	var plain []event
	if err := json.Unmarshal(raw, &plain); err != nil {
		return err
	}
	for i := range plain {
		if plain[i].Event == nil && i > 0 {
			plain[i].Event = plain[i-1].Event
		}
		if plain[i].Event == nil {
			return errors.New("a place without its event")
		}
	}
	*es = plain
	return nil
}

// stamp is the time and the number of a record.
type stamp struct{ at, n int64 }

func (l *Ledger) stamp() stamp {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stampNow()
}

// stampNow is stamp while the mutex is held.
func (l *Ledger) stampNow() stamp {
	l.state.n++
	return stamp{nanos(l.o.Clock.Now()), l.state.n}
}

// eventsOf returns postings for all their boxes.
func eventsOf(postings []engine.Envelope, s stamp) events {
	var out events
	for i := range postings {
		p := &postings[i]
		for _, agent := range p.Agents {
			out = append(out, event{agent, "", (*storedEvent)(&p.Event), s.at, s.n})
		}
		for _, to := range p.To {
			out = append(out, event{to.Agent, to.URL, (*storedEvent)(&p.Event), s.at, s.n})
		}
	}
	return out
}

func checkPostings(postings []engine.Envelope) error {
	var errs []error
	for i := range postings {
		p := &postings[i]
		if p.Event.ID == "" || p.Event.Source == "" {
			errs = append(errs, fmt.Errorf("event %q of %q: an event needs a source and an id", engine.Echo(p.Event.ID), engine.Echo(p.Event.Source)))
		}
		if slices.Contains(p.Agents, "") {
			errs = append(errs, fmt.Errorf("event %s of %s: an inbox needs an agent's name", engine.Echo(p.Event.ID), engine.Echo(p.Event.Source)))
		}
		if slices.ContainsFunc(p.To, func(to engine.Destination) bool { return to.URL == "" }) {
			errs = append(errs, fmt.Errorf("event %s of %s: a destination needs a URL", engine.Echo(p.Event.ID), engine.Echo(p.Event.Source)))
		}
	}
	return errors.Join(errs...)
}

package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/scanflow-k8s/scanflow/engine"
)

// event is one in an inbox, or for a destination.
type event struct {
	Agent string `json:"a,omitempty"` // whose inbox, or who sends it
	URL   string `json:"u,omitempty"` // of a destination
	Event *kept  `json:"e,omitempty"`
	At    int64  `json:"at,omitempty"` // when it was queued
	N     int64  `json:"n,omitempty"`
}

// eventKey is what an event is known by in one place.
type eventKey struct {
	Agent  string `json:"a"`
	URL    string `json:"u,omitempty"`
	Source string `json:"s"`
	ID     string `json:"i"`
}

// handled is the end of an event in one place, or that it was held back there.
type handled struct {
	eventKey
	At   int64  `json:"at"`
	Fate fate   `json:"f,omitempty"`
	Of   int64  `json:"of,omitempty"` // of a dead one, and of one that waits on, its number
	Why  string `json:"w,omitempty"`
	Kept *kept  `json:"k,omitempty"` // what is kept of it from now on, where that is another
}

// numbered is one that waited under that number, or does from now on.
type numbered struct {
	eventKey
	N  int64 `json:"n"`
	At int64 `json:"at,omitempty"`
}

func (e *event) key() eventKey { return eventKey{e.Agent, e.URL, e.Event.Source, e.Event.ID} }

// events are written with the same event once for all the places that it goes to.
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

// stamp is when a record was made, and its number.
type stamp struct{ at, n int64 }

func (l *Ledger) stamp() stamp {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stampNow()
}

// stampNow is stamp with the mutex held.
func (l *Ledger) stampNow() stamp {
	l.state.n++
	return stamp{nanos(l.o.Clock.Now()), l.state.n}
}

// eventsOf are postings in all the places that they go to.
func eventsOf(postings []engine.Posting, s stamp) events {
	var out events
	for i := range postings {
		p := &postings[i]
		for _, agent := range p.Agents {
			out = append(out, event{agent, "", (*kept)(&p.Event), s.at, s.n})
		}
		for _, to := range p.To {
			out = append(out, event{to.Agent, to.URL, (*kept)(&p.Event), s.at, s.n})
		}
	}
	return out
}

func checkPostings(postings []engine.Posting) error {
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

package cloudevents

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/backoff"
	"github.com/scanflow-k8s/scanflow/engine/redact"
)

// answerBytes is how much of an answer is read.
const answerBytes = 1 << 20

// FinalError is an answer, or an event, with which the same request would fail again.
type FinalError struct {
	// Status is the answer's, 0 where nothing was sent.
	Status int
	text   string
}

func (e *FinalError) Error() string { return e.text }

// answer is what an endpoint said.
type answer struct {
	to      string
	secrets []string // that were sent
	resp    *http.Response
	body    []byte
	cut     error // the body could not be read to its end
}

// own is the body of a Scanflow's answer.
type own struct {
	Receipts []engine.Receipt `json:"receipts"`
	Error    string           `json:"error"`
}

// receipts tells what became of the events.
func (a answer) receipts(events []engine.Event) ([]engine.Receipt, error) {
	var said own
	ours := json.Unmarshal(a.body, &said) == nil && a.cut == nil && said.Receipts != nil
	switch code := a.resp.StatusCode; {
	case code >= 200 && code < 300 && ours:
		return a.match(events, said.Receipts)
	case code >= 200 && code < 300 && len(events) == 1:
		return []engine.Receipt{{ID: events[0].ID, Source: events[0].Source, Verdict: engine.Accepted}}, nil
	case code >= 200 && code < 300 && a.cut != nil: // it may have taken them; it knows them again
		return nil, engine.Retry(a.says("and the answer was cut short"))
	case code >= 200 && code < 300: // a server that does not know batches may have dropped them
		return nil, a.final("without a receipt for each event; is this a Scanflow?")
	case (code == http.StatusNotFound || code == http.StatusForbidden) && ours:
		return a.match(events, said.Receipts)
	case code == http.StatusUnauthorized, code == http.StatusForbidden, // credentials may be put right
		code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests, code >= 500:
		return nil, engine.RetryLater(a.says(said.Error), backoff.RetryAfter(a.resp.Header, time.Now()))
	case code >= 300 && code < 400:
		return nil, a.final("and redirects are not followed; give the address that it points to")
	default:
		return nil, a.final(said.Error)
	}
}

// match takes the receipts only where they are of these events.
func (a answer) match(events []engine.Event, receipts []engine.Receipt) ([]engine.Receipt, error) {
	if len(receipts) != len(events) {
		return nil, engine.Retry(a.says(fmt.Sprintf("with %d receipts for %d events", len(receipts), len(events))))
	}
	out := make([]engine.Receipt, len(events))
	for i, r := range receipts {
		if r.ID != events[i].ID {
			return nil, engine.Retry(a.says("with receipts of other events"))
		}
		switch r.Verdict {
		case engine.Accepted, engine.UnwantedEvent, engine.RefusedEvent:
		default:
			return nil, engine.Retry(a.says("with a receipt that can't be understood"))
		}
		out[i] = engine.Receipt{ID: r.ID, Source: events[i].Source, Verdict: r.Verdict, Why: a.harmless(r.Why)}
	}
	return out, nil
}

func (a answer) final(why string) error {
	return &FinalError{Status: a.resp.StatusCode, text: a.says(why).Error()}
}

// says is the answer in words; why may be the endpoint's own.
func (a answer) says(why string) error {
	text := fmt.Sprintf("POST %s: answered %d %s", a.to, a.resp.StatusCode, http.StatusText(a.resp.StatusCode))
	if why = a.harmless(why); why != "" {
		text += ": " + why
	}
	return fmt.Errorf("%s", strings.TrimSpace(text))
}

// mostSaid bounds what an endpoint's own words may take of an error, in bytes.
const mostSaid = 500

// answerLooked bounds what is looked at of an endpoint's words, in bytes.
const answerLooked = 4 << 10

// harmless flattens an endpoint's words to one line, blanks the credentials in them,
// which it may echo, and cuts them.
func (a answer) harmless(text string) string {
	text = redact.Text(text[:min(len(text), answerLooked)], a.secrets...)
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > mostSaid {
		text = strings.ToValidUTF8(text[:mostSaid], "") + "..."
	}
	return text
}

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

// answerBytes bounds the bytes of an answer that are read.
const answerBytes = 1 << 20

// FinalError is the error of a request that would fail again.
type FinalError struct {
	// Status is that of the answer; 0 if nothing was sent.
	Status int
	text   string
}

func (e *FinalError) Error() string { return e.text }

// answer is the answer of an endpoint.
type answer struct {
	to      string
	secrets []string // that were sent
	resp    *http.Response
	body    []byte
	cut     error // the body could not be read to its end
}

// own is the body of an answer from a Scanflow.
type own struct {
	Receipts []engine.Receipt `json:"receipts"`
	Error    string           `json:"error"`
}

// receipts returns the receipts of the events, or the error of the answer.
func (a answer) receipts(events []engine.Event) ([]engine.Receipt, error) {
	var body own
	ours := json.Unmarshal(a.body, &body) == nil && a.cut == nil && body.Receipts != nil
	switch code := a.resp.StatusCode; {
	case code >= 200 && code < 300 && ours:
		return a.match(events, body.Receipts)
	case code >= 200 && code < 300 && len(events) == 1:
		return []engine.Receipt{{ID: events[0].ID, Source: events[0].Source, Verdict: engine.Accepted}}, nil
	case code >= 200 && code < 300 && a.cut != nil: // it may have accepted them, and drops duplicates
		return nil, engine.Retry(a.err("and the answer was cut short"))
	case code >= 200 && code < 300: // a server without the batched mode may have dropped them
		return nil, a.final("without a receipt for each event; is this a Scanflow?")
	case (code == http.StatusNotFound || code == http.StatusForbidden) && ours:
		return a.match(events, body.Receipts)
	case code == http.StatusUnauthorized, code == http.StatusForbidden, // credentials may be put right
		code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests, code >= 500:
		return nil, engine.RetryLater(a.err(body.Error), backoff.RetryAfter(a.resp.Header, time.Now()))
	case code >= 300 && code < 400:
		return nil, a.final("and redirects are not followed; give the address that it points to")
	default:
		return nil, a.final(body.Error)
	}
}

// match returns the receipts if they are those of the events.
func (a answer) match(events []engine.Event, receipts []engine.Receipt) ([]engine.Receipt, error) {
	if len(receipts) != len(events) {
		return nil, engine.Retry(a.err(fmt.Sprintf("with %d receipts for %d events", len(receipts), len(events))))
	}
	out := make([]engine.Receipt, len(events))
	for i, r := range receipts {
		if r.ID != events[i].ID {
			return nil, engine.Retry(a.err("with receipts of other events"))
		}
		switch r.Verdict {
		case engine.Accepted, engine.UnwantedEvent, engine.RefusedEvent:
		default:
			return nil, engine.Retry(a.err("with a receipt that can't be understood"))
		}
		out[i] = engine.Receipt{ID: r.ID, Source: events[i].Source, Verdict: r.Verdict, Why: a.excerpt(r.Why)}
	}
	return out, nil
}

func (a answer) final(why string) error {
	return &FinalError{Status: a.resp.StatusCode, text: a.err(why).Error()}
}

// err returns the error of the answer; why may be the endpoint's own text.
func (a answer) err(why string) error {
	text := fmt.Sprintf("POST %s: answered %d %s", a.to, a.resp.StatusCode, http.StatusText(a.resp.StatusCode))
	if why = a.excerpt(why); why != "" {
		text += ": " + why
	}
	return fmt.Errorf("%s", strings.TrimSpace(text))
}

const (
	// excerptBytes bounds an endpoint's own text in an error.
	excerptBytes = 500
	// scannedBytes bounds what is searched for secrets.
	scannedBytes = 4 << 10
)

// excerpt returns the beginning of an endpoint's own text on one line, without the credentials
// that were sent: the endpoint may echo them.
func (a answer) excerpt(text string) string {
	text = redact.Text(text[:min(len(text), scannedBytes)], a.secrets...)
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > excerptBytes {
		text = strings.ToValidUTF8(text[:excerptBytes], "") + "..."
	}
	return text
}

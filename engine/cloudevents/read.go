package cloudevents

import (
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Limits bound one request.
type Limits struct {
	// Bytes is the most that a body may have.
	Bytes int64
	// Events is the most that a batch may have.
	Events int
	// Hold is asked before a body takes so many bytes more of memory; its error ends the
	// reading, and is returned. Nil holds everything.
	Hold func(bytes int64) error
}

// MaxRequestValues is how many JSON values the events of one request may have together;
// engine.MaxEventValues is how many each.
const MaxRequestValues = 250_000

// Read takes the events out of a request, in structured, binary or batched content
// mode. An event without a time gets now.
//
// The error is mistake.Mistakes where the request is not a CloudEvent as the specification
// has it, wraps ErrTooLarge or ErrMediaType, or is that of reading the body. There
// are no events beside an error. Data that is JSON is a json.RawMessage, a part of the
// body.
func Read(r *http.Request, limits Limits, now time.Time) ([]engine.Event, error) {
	kind, err := mediaTypeOf(r.Header)
	if err != nil {
		return nil, err
	}
	body, err := ReadBody(r, limits)
	if err != nil {
		return nil, err
	}
	switch {
	case kind == event.ApplicationCloudEventsJSON:
		return readStructured(body, now)
	case kind == event.ApplicationCloudEventsBatchJSON:
		return readBatch(body, limits.Events, now)
	case strings.HasPrefix(kind, "application/cloudevents"):
		return nil, fmt.Errorf("%w: events in the format %s are not read; send %s", ErrMediaType, quote(kind), event.ApplicationCloudEventsJSON)
	}
	return readBinary(r.Header, kind, body, now)
}

// mediaTypeOf is the Content-Type without its parameters, in lower case; "" where
// there is none.
func mediaTypeOf(h http.Header) (string, error) {
	written := h.Get("Content-Type")
	if written == "" {
		return "", nil
	}
	kind, parameters, err := mime.ParseMediaType(written)
	if err != nil {
		return "", fmt.Errorf("%w: the Content-Type %s can't be read", ErrMediaType, quote(written))
	}
	if charset := parameters["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "us-ascii") {
		return "", fmt.Errorf("%w: the charset %s is not read; send UTF-8", ErrMediaType, quote(charset))
	}
	return kind, nil
}

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
	// Bytes bounds a body.
	Bytes int64
	// Events bounds the events of a batch.
	Events int
	// Hold is called before a body allocates that many bytes more. Read returns its error. Nil
	// allows everything.
	Hold func(bytes int64) error
}

// MaxRequestValues bounds the JSON values of all events of a request; engine.MaxEventValues
// bounds those of each.
const MaxRequestValues = 250_000

// Read returns the events of a request in structured, binary or batched content mode. The time
// of an event without one is now. JSON data is a json.RawMessage that shares the body's memory.
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

// mediaTypeOf returns the Content-Type without its parameters, in lower case; "" without one.
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

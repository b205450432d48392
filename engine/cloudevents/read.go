package cloudevents

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Limits bound one request.
type Limits struct {
	// Bytes is the most that a body may have.
	Bytes int64
	// Events is the most that a batch may have.
	Events int
}

// Read takes the events out of a request, in structured, binary or batched content
// mode. An event without a time gets now.
//
// The error is Mistakes where the request is not a CloudEvent as the specification
// has it, wraps ErrTooLarge or ErrMediaType, or is that of reading the body. There
// are no events beside an error.
func Read(r *http.Request, limits Limits, now time.Time) ([]engine.Event, error) {
	kind, err := mediaTypeOf(r.Header)
	if err != nil {
		return nil, err
	}
	body, err := ReadBody(r, limits.Bytes)
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

// ReadBody reads a whole body, which must be within the limit and not compressed.
func ReadBody(r *http.Request, limit int64) ([]byte, error) {
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return nil, fmt.Errorf("%w: a body with Content-Encoding %s is not read; send it as it is", ErrMediaType, quote(coding))
	}
	tooLarge := fmt.Errorf("%w: the body has more than %d bytes", ErrTooLarge, limit)
	if r.ContentLength > limit {
		return nil, tooLarge
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the body: %w", err)
	case int64(len(body)) > limit:
		return nil, tooLarge
	}
	return body, nil
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

func readBatch(body []byte, most int, now time.Time) ([]engine.Event, error) {
	if !utf8.Valid(body) {
		return nil, Mistakes{"the body is not UTF-8"}
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if open, err := d.Token(); err != nil || open != json.Delim('[') {
		return nil, Mistakes{"the body is not a JSON array of events"}
	}
	events := []engine.Event{}
	var mistakes Mistakes
	for n := 1; d.More(); n++ {
		if n > most {
			return nil, fmt.Errorf("%w: the batch has more than %d events", ErrTooLarge, most)
		}
		var one json.RawMessage
		if err := d.Decode(&one); err != nil {
			return nil, append(mistakes, fmt.Sprintf("event %d: is not JSON: %s", n, jsonProblem(err)))
		}
		e, wrong := readObject(one, now)
		for _, mistake := range wrong {
			mistakes = append(mistakes, fmt.Sprintf("event %d: %s", n, mistake))
		}
		events = append(events, e)
	}
	if _, err := d.Token(); err != nil {
		mistakes = append(mistakes, "the body is cut short: the array has no end")
	} else if more(d) {
		mistakes = append(mistakes, "more follows after the array")
	}
	if err := mistakes.err(); err != nil {
		return nil, err
	}
	return events, nil
}

// more tells whether anything but white space follows.
func more(d *json.Decoder) bool {
	_, err := d.Token()
	return !errors.Is(err, io.EOF)
}

func jsonProblem(err error) string {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "it is cut short"
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

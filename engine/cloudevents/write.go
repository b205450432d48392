package cloudevents

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/scanflow-k8s/scanflow/engine"
)

// wire is an event in the JSON event format. The SDK's own type is not used, since it trims and
// escapes the id and the source, which identify an event.
type wire struct {
	SpecVersion     string `json:"specversion"`
	ID              string `json:"id"`
	Source          string `json:"source"`
	Type            string `json:"type"`
	Subject         string `json:"subject,omitempty"`
	Time            string `json:"time,omitempty"`
	Hops            int    `json:"scanflowhops,omitempty"`
	Sender          string `json:"scanflowsender,omitempty"`
	DataContentType string `json:"datacontenttype,omitempty"`
	Data            any    `json:"data,omitempty"`
}

// encode writes one event in the structured mode, and several in the batched mode.
func encode(events []engine.Event) (body []byte, mediaType string, err error) {
	out := make([]json.RawMessage, len(events))
	for i := range events {
		if out[i], err = encodeOne(&events[i]); err != nil {
			return nil, "", fmt.Errorf("event %s can't be sent as a CloudEvent: %w", quote(events[i].ID), err)
		}
	}
	if len(out) == 1 {
		return out[0], event.ApplicationCloudEventsJSON, nil
	}
	body, err = json.Marshal(out)
	return body, event.ApplicationCloudEventsBatchJSON, err
}

// encodeOne encodes an event in the structured mode. The error is that of reading it back.
func encodeOne(e *engine.Event) (json.RawMessage, error) {
	w := wire{
		SpecVersion: event.CloudEventsVersionV1, ID: e.ID, Source: e.Source, Type: e.Type, Subject: e.Subject,
		Hops: e.Hops, Sender: e.Sender, Data: e.Data,
	}
	if !e.Time.IsZero() {
		w.Time = e.Time.UTC().Format(time.RFC3339Nano)
	}
	if e.Data != nil {
		w.DataContentType = event.ApplicationJSON
	}
	raw, err := json.Marshal(w)
	if err != nil {
		return nil, err
	}
	if _, err := readStructured(raw, e.Time); err != nil {
		return nil, err
	}
	return raw, nil
}

package ledger

import (
	"encoding/json"
	"fmt"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/jsonscan"
	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
)

// storedEvent is an event in the log. Its data stays encoded: the data of a record of a few
// hundred KiB can take a thousand times as much memory once it is decoded, and is not needed
// before the event is handled.
type storedEvent engine.Event

// maxDepth is the limit of encoding/json.
const maxDepth = 10_000

// UnmarshalJSON leaves the data encoded.
func (k *storedEvent) UnmarshalJSON(raw []byte) error {
	var read struct {
		engine.Event
		Data json.RawMessage `json:"data,omitempty"`
	}
	if err := json.Unmarshal(raw, &read); err != nil {
		return err
	}
	if *k = storedEvent(read.Event); read.Data == nil {
		return nil
	}
	k.Data = read.Data
	// The handler of the event decodes it, when it is too late to refuse it.
	_, err := jsonscan.Check(read.Data, jsonscan.Limits{Values: maxUnpacked, Depth: maxDepth})
	return err
}

// bytes is the event's share of Options.MailBytes.
func (k *storedEvent) bytes() int64 {
	data, _ := k.Data.(json.RawMessage)
	return int64(len(k.ID) + len(k.Source) + len(k.Type) + len(k.Subject) + len(k.Sender) + len(data))
}

// event returns the event with decoded data.
func (k *storedEvent) event() (engine.Event, error) {
	e := engine.Event(*k)
	raw, is := k.Data.(json.RawMessage)
	if !is {
		return e, nil
	}
	e.Data = nil
	if err := jsonvalue.Unmarshal(raw, &e.Data); err != nil {
		return e, fmt.Errorf("data of event %s of %s: %w", engine.Echo(e.ID), engine.Echo(e.Source), err)
	}
	return e, nil
}

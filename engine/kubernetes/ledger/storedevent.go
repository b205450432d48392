package ledger

import (
	"encoding/json"
	"fmt"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/jsonscan"
)

// kept is an event while the log holds it. Its data stays the text that it was: that of
// a record of a few hundred KiB can be a thousand times as much once it is decoded, and
// nobody needs it before the event is handled.
type kept engine.Event

// deepestKept is as deep as encoding/json reads.
const deepestKept = 10_000

// UnmarshalJSON leaves the data as it is.
func (k *kept) UnmarshalJSON(raw []byte) error {
	var read struct {
		engine.Event
		Data json.RawMessage `json:"data,omitempty"`
	}
	if err := json.Unmarshal(raw, &read); err != nil {
		return err
	}
	if *k = kept(read.Event); read.Data == nil {
		return nil
	}
	k.Data = read.Data
	// Whoever handles the event will decode it, and could not say no any more.
	_, err := jsonscan.Check(read.Data, jsonscan.Limits{Values: mostUnpacked, Depth: deepestKept})
	return err
}

// bytes is what the event takes of Options.MailBytes.
func (k *kept) bytes() int64 {
	data, _ := k.Data.(json.RawMessage)
	return int64(len(k.ID) + len(k.Source) + len(k.Type) + len(k.Subject) + len(k.Sender) + len(data))
}

// event is the event with its data as Go values.
func (k *kept) event() (engine.Event, error) {
	e := engine.Event(*k)
	raw, is := k.Data.(json.RawMessage)
	if !is {
		return e, nil
	}
	e.Data = nil
	if err := engine.UnmarshalExact(raw, &e.Data); err != nil {
		return e, fmt.Errorf("data of event %s of %s: %w", engine.Echo(e.ID), engine.Echo(e.Source), err)
	}
	return e, nil
}

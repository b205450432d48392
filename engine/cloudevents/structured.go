package cloudevents

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/jsonscan"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

func readStructured(body []byte, now time.Time) ([]engine.Event, error) {
	if !utf8.Valid(body) {
		return nil, mistake.Mistakes{{Message: "the body is not UTF-8"}}
	}
	_, err := jsonscan.Check(body, jsonscan.Limits{Values: engine.MaxEventValues, Depth: eventDepth})
	switch rule, broken := brokenRule("", err); {
	case err == nil:
	case errors.Is(err, jsonscan.ErrTooMany):
		return nil, fmt.Errorf("%w: the event %w", ErrTooLarge, err)
	case broken:
		if rule.Path == "" {
			rule.Object = "the event"
		}
		return nil, mistake.Mistakes{rule}
	case errors.Is(err, jsonscan.ErrMore):
		return nil, mistake.Mistakes{{Message: "more follows after the event"}}
	default:
		return nil, mistake.Mistakes{{Message: "the body is not JSON: " + syntax(err)}}
	}
	e, found, err := readObject(body, now)
	if err == nil {
		err = found.Err()
	}
	if err != nil {
		return nil, err
	}
	return []engine.Event{e}, nil
}

// readObject reads an event in the JSON event format, in text that was looked at. An
// error is an ErrTooLarge.
func readObject(raw []byte, now time.Time) (e engine.Event, found mistake.Collector, err error) {
	d := draft{attributes: map[string]string{}}
	var data, base64Data []byte
	if raw = bytes.TrimSpace(raw); raw[0] != '{' {
		found.Add(mistake.Mistake{Message: "is not a JSON object"})
		return e, found, nil
	}
	jsonscan.Members(raw, func(escaped, value []byte) bool {
		switch name := nameOf(escaped); {
		case name == "data":
			data = value
		case string(value) == "null": // the JSON format treats it as absent
		case name == "data_base64":
			base64Data = value
		default:
			d.jsonAttribute(name, value)
		}
		return true
	})
	e = d.event(now)
	switch {
	case data != nil && base64Data != nil:
		d.bad("data", "is there beside data_base64", "keep one")
	case data != nil:
		e.Data = d.jsonData(data)
	case base64Data != nil:
		e.Data, err = d.base64Data(base64Data)
	}
	return e, d.mistakes, err
}

// nameOf returns the name of a member without its escapes.
func nameOf(escaped []byte) string {
	if bytes.IndexByte(escaped, '\\') < 0 {
		return string(escaped)
	}
	var name string
	if err := json.Unmarshal(slices.Concat([]byte{'"'}, escaped, []byte{'"'}), &name); err != nil {
		return string(escaped)
	}
	return name
}

// jsonAttribute reads an attribute that is not null.
func (d *draft) jsonAttribute(name string, value []byte) {
	if !d.checkName(name) {
		return
	}
	var text string
	switch value[0] {
	case '"':
		if json.Unmarshal(value, &text) != nil {
			d.bad(name, "is not text", "")
			return
		}
	case '{', '[':
		d.bad(name, "must be text, a whole number, true or false", "")
		return
	default:
		if text = string(value); known[name] && name != attributeHops {
			d.bad(name, "must be text, not "+quote(text), "")
			return
		}
	}
	if known[name] {
		d.attributes[name] = text
	}
}

func (d *draft) jsonData(value []byte) any {
	switch kind := d.dataKind(); kind {
	case jsonKind:
		return jsonText(value)
	case textKind:
		var text string
		if value[0] != '"' || json.Unmarshal(value, &text) != nil {
			d.bad("data", fmt.Sprintf("must be text, as datacontenttype is %s", quote(d.attributes["datacontenttype"])), "")
		}
		return text
	}
	return nil
}

func (d *draft) base64Data(value []byte) (any, error) {
	var text string
	if value[0] != '"' || json.Unmarshal(value, &text) != nil {
		d.bad("data_base64", "must be text", "")
		return nil, nil
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		d.bad("data_base64", "is not Base64", "")
		return nil, nil
	}
	return d.bytes("data_base64", raw)
}

package cloudevents

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/scanflow-k8s/scanflow/engine"
)

func readStructured(body []byte, now time.Time) ([]engine.Event, error) {
	if !utf8.Valid(body) {
		return nil, Mistakes{"the body is not UTF-8"}
	}
	d := json.NewDecoder(bytes.NewReader(body))
	var one json.RawMessage
	if err := d.Decode(&one); err != nil {
		return nil, Mistakes{"the body is not JSON: " + jsonProblem(err)}
	}
	e, mistakes := readObject(one, now)
	if more(d) {
		mistakes = append(mistakes, "more follows after the event")
	}
	if err := mistakes.err(); err != nil {
		return nil, err
	}
	return []engine.Event{e}, nil
}

// readObject reads an event in the JSON event format.
func readObject(raw json.RawMessage, now time.Time) (engine.Event, Mistakes) {
	d := draft{attributes: map[string]string{}}
	var data, base64Data json.RawMessage
	if raw[0] != '{' {
		return engine.Event{}, Mistakes{"is not a JSON object"}
	}
	d.members(raw, func(name string, value json.RawMessage) {
		switch {
		case name == "data":
			data = value
		case string(value) == "null": // as good as absent, by the JSON format
		case name == "data_base64":
			base64Data = value
		default:
			d.jsonAttribute(name, value)
		}
	})
	e := d.event(now)
	switch {
	case data != nil && base64Data != nil:
		d.bad("data", "is there beside data_base64; keep one")
	case data != nil:
		e.Data = d.jsonData(data)
	case base64Data != nil:
		e.Data = d.base64Data(base64Data)
	}
	return e, d.mistakes
}

// members calls back for each member of an object, and notes a name that is there
// twice: which of the two would count is anybody's guess.
func (d *draft) members(raw json.RawMessage, found func(name string, value json.RawMessage)) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	_, _ = decoder.Token() // {
	seen := map[string]bool{}
	for decoder.More() {
		token, err := decoder.Token()
		name, is := token.(string)
		var value json.RawMessage
		if err != nil || !is || decoder.Decode(&value) != nil { // the whole has been read once
			return
		}
		if seen[name] {
			d.bad(quoteName(name), "is there twice; keep one")
			continue
		}
		seen[name] = true
		found(name, value)
	}
}

// jsonAttribute takes an attribute that is not null.
func (d *draft) jsonAttribute(name string, value json.RawMessage) {
	if !d.named(name) {
		return
	}
	var text string
	switch value[0] {
	case '"':
		if json.Unmarshal(value, &text) != nil {
			d.bad(name, "is not text")
			return
		}
	case '{', '[':
		d.bad(name, "must be text, a whole number, true or false")
		return
	default:
		if text = string(value); known[name] && name != attributeHops {
			d.bad(name, "must be text, not "+quote(text))
			return
		}
	}
	d.attributes[name] = text
}

func (d *draft) jsonData(value json.RawMessage) any {
	switch kind := d.dataKind(); kind {
	case jsonKind:
		return d.parseJSON(value)
	case textKind:
		var text string
		if value[0] != '"' || json.Unmarshal(value, &text) != nil {
			d.bad("data", fmt.Sprintf("must be text, as datacontenttype is %s", quote(d.attributes["datacontenttype"])))
		}
		return text
	}
	return nil
}

func (d *draft) base64Data(value json.RawMessage) any {
	var text string
	if value[0] != '"' || json.Unmarshal(value, &text) != nil {
		d.bad("data_base64", "must be text")
		return nil
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		d.bad("data_base64", "is not Base64")
		return nil
	}
	return d.bytes("data_base64", raw)
}

package cloudevents

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"strings"
	"unicode/utf8"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/jsonscan"
)

type dataKind int

const (
	unreadKind dataKind = iota
	jsonKind
	textKind
)

// kindOf returns how data of a media type is read.
func kindOf(mediaType string) dataKind {
	switch {
	case strings.HasSuffix(mediaType, "/json"), strings.HasSuffix(mediaType, "+json"):
		return jsonKind
	case strings.HasPrefix(mediaType, "text/"), strings.HasSuffix(mediaType, "/xml"), strings.HasSuffix(mediaType, "+xml"):
		return textKind
	}
	return unreadKind
}

// dataKind returns the kind of the attribute datacontenttype, or JSON without it. It adds a
// mistake for a type that is not read.
func (d *draft) dataKind() dataKind {
	written := d.attributes["datacontenttype"]
	if written == "" {
		return jsonKind
	}
	mediaType, _, err := mime.ParseMediaType(written)
	if err != nil {
		return unreadKind // its own mistake
	}
	kind := kindOf(mediaType)
	if kind == unreadKind {
		d.bad("datacontenttype", fmt.Sprintf("data of the type %s is not read", quote(mediaType)), "send JSON or text")
	}
	return kind
}

// bytes returns the data of a field that holds it as bytes. JSON is checked and not decoded,
// since the event may turn out to be unwanted. The error is an ErrTooLarge.
func (d *draft) bytes(field string, raw []byte) (any, error) {
	switch d.dataKind() {
	case jsonKind:
		if len(bytes.TrimSpace(raw)) == 0 {
			return nil, nil
		}
		return d.parseJSON(raw)
	case textKind:
		if !utf8.Valid(raw) {
			d.bad(field, "is not UTF-8", "")
			return nil, nil
		}
		return string(raw), nil
	}
	return nil, nil
}

func (d *draft) parseJSON(raw []byte) (any, error) {
	if !utf8.Valid(raw) {
		d.bad("data", "is not UTF-8", "")
		return nil, nil
	}
	_, err := jsonscan.Check(raw, jsonscan.Limits{Values: engine.MaxEventValues, Depth: engine.MaxDataDepth})
	switch rule, broken := brokenRule("data", err); {
	case err == nil:
		return jsonText(raw), nil
	case errors.Is(err, jsonscan.ErrTooMany):
		return nil, fmt.Errorf("%w: the data %w", ErrTooLarge, err)
	case broken:
		d.mistakes.Add(rule)
	case errors.Is(err, jsonscan.ErrMore):
		d.bad("data", "is not one JSON value: more follows after it", "")
	default:
		d.bad("data", "is not JSON that can be read: "+syntax(err), "")
	}
	return nil, nil
}

// jsonText returns JSON data as a json.RawMessage, and nil for null.
func jsonText(raw []byte) any {
	if raw = bytes.TrimSpace(raw); string(raw) == "null" {
		return nil
	}
	return json.RawMessage(raw)
}

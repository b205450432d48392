package cloudevents

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"strings"
	"unicode/utf8"
)

// deepest is how deep data may be nested.
const deepest = 64

type dataKind int

const (
	unreadKind dataKind = iota
	jsonKind
	textKind
)

// kindOf is what the data of a media type is read as: JSON, or text as it is.
func kindOf(mediaType string) dataKind {
	switch {
	case strings.HasSuffix(mediaType, "/json"), strings.HasSuffix(mediaType, "+json"):
		return jsonKind
	case strings.HasPrefix(mediaType, "text/"), strings.HasSuffix(mediaType, "/xml"), strings.HasSuffix(mediaType, "+xml"):
		return textKind
	}
	return unreadKind
}

// dataKind is by the attribute datacontenttype; where that is absent it is JSON. One
// that is not read is a mistake.
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
		d.bad("datacontenttype", fmt.Sprintf("data of the type %s is not read; send JSON or text", quote(mediaType)))
	}
	return kind
}

// bytes are data as a sequence of bytes, in the field that holds them.
func (d *draft) bytes(field string, raw []byte) any {
	switch d.dataKind() {
	case jsonKind:
		if len(bytes.TrimSpace(raw)) == 0 {
			return nil
		}
		return d.parseJSON(raw)
	case textKind:
		if !utf8.Valid(raw) {
			d.bad(field, "is not UTF-8")
			return nil
		}
		return string(raw)
	}
	return nil
}

func (d *draft) parseJSON(raw []byte) any {
	if !utf8.Valid(raw) {
		d.bad("data", "is not UTF-8")
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	var v any
	switch err := decoder.Decode(&v); {
	case err != nil:
		d.bad("data", "is not JSON that can be read: "+jsonProblem(err))
		return nil
	case more(decoder):
		d.bad("data", "is not one JSON value: more follows after it")
		return nil
	case tooDeep(v, deepest):
		d.bad("data", fmt.Sprintf("is nested more than %d deep", deepest))
		return nil
	}
	return v
}

func tooDeep(v any, most int) bool {
	if most < 0 {
		return true
	}
	switch v := v.(type) {
	case map[string]any:
		for _, inner := range v {
			if tooDeep(inner, most-1) {
				return true
			}
		}
	case []any:
		for _, inner := range v {
			if tooDeep(inner, most-1) {
				return true
			}
		}
	}
	return false
}

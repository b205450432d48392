package cloudevents

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// prefix begins the headers of the binary mode, in net/http's canonical form.
const prefix = "Ce-"

// readBinary reads an event whose attributes are headers, and whose data is the body.
func readBinary(h http.Header, mediaType string, body []byte, now time.Time) ([]engine.Event, error) {
	d := draft{attributes: map[string]string{}}
	var headers []string
	for name := range h {
		if strings.HasPrefix(name, prefix) {
			headers = append(headers, name)
		}
	}
	if len(headers) == 0 {
		return nil, mistake.Mistakes{{Message: "is no CloudEvent: the Content-Type is not application/cloudevents+json, and there are no headers ce-id, ce-source, ce-type and ce-specversion"}}
	}
	slices.Sort(headers)
	for _, name := range headers {
		d.header(strings.ToLower(strings.TrimPrefix(name, prefix)), h[name])
	}
	if len(body) > 0 {
		switch {
		case mediaType == "":
			return nil, fmt.Errorf("%w: the body has no Content-Type; send application/json", ErrMediaType)
		case kindOf(mediaType) == unreadKind:
			return nil, fmt.Errorf("%w: data of the type %s is not read; send application/json, or text", ErrMediaType, quote(mediaType))
		}
	}
	d.attributes["datacontenttype"] = mediaType
	e := d.event(now)
	if len(body) > 0 {
		var err error
		if e.Data, err = d.bytes("the body", body); err != nil {
			return nil, err
		}
	}
	if err := d.mistakes.Err(); err != nil {
		return nil, err
	}
	return []engine.Event{e}, nil
}

// header reads an attribute from its header's values.
func (d *draft) header(name string, values []string) {
	switch {
	case !d.checkName(name):
	case name == "datacontenttype":
		d.bad("ce-datacontenttype", "is not a header", "the Content-Type says it")
	case len(values) > 1:
		d.bad(name, "is there twice", "keep one")
	default:
		text, err := unescape(values[0])
		if err != nil {
			d.bad(name, err.Error(), "")
			return
		}
		d.attributes[name] = text
	}
}

// unescape decodes the value of an attribute's header (HTTP binding, section 3.1.3.2): quotes
// around it, and percent-encoding. A percent sign without two hexadecimal digits is kept, since
// not every sender encodes it.
func unescape(value string) (string, error) {
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		value = unquote(value[1 : len(value)-1])
	}
	var out strings.Builder
	for i := 0; i < len(value); i++ {
		if value[i] == '%' && i+2 < len(value) {
			high, low := hexDigit(value[i+1]), hexDigit(value[i+2])
			if high >= 0 && low >= 0 {
				out.WriteByte(byte(high<<4 | low))
				i += 2
				continue
			}
		}
		out.WriteByte(value[i])
	}
	if !utf8.ValidString(out.String()) {
		return "", fmt.Errorf("is not UTF-8")
	}
	return out.String(), nil
}

// unquote removes the backslashes of a quoted string (RFC 7230, 3.2.6).
func unquote(inner string) string {
	var out strings.Builder
	for i := 0; i < len(inner); i++ {
		if inner[i] == '\\' && i+1 < len(inner) {
			i++
		}
		out.WriteByte(inner[i])
	}
	return out.String()
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

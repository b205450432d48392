package engine

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// The limits of one event from any sender.
const (
	// MaxDataBytes bounds its data, encoded as JSON: an event has to fit into the 4 MiB that
	// a peer reads of one request.
	MaxDataBytes = 4<<20 - 64<<10
	// MaxEventValues bounds its JSON values, nested ones included. A decoded value takes
	// some 40 bytes of memory, however short it was.
	MaxEventValues = 100_000
	// MaxDataDepth bounds the nesting of arrays and objects in its data.
	MaxDataDepth = 64
	// MaxAttributeBytes bounds an attribute: ids and sources are stored for long.
	MaxAttributeBytes = 1024
)

// Check refuses an event of an agent here that exceeds the limits, which a peer would
// refuse too.
func (e *Event) Check() error {
	for _, a := range []struct{ name, value string }{{"id", e.ID}, {"source", e.Source}, {"type", e.Type}, {"subject", e.Subject}} {
		switch {
		case len(a.value) > MaxAttributeBytes:
			return fmt.Errorf("the event's %s has %d bytes; at most %d are sent", a.name, len(a.value), MaxAttributeBytes)
		case strings.ContainsFunc(a.value, Unprintable):
			return fmt.Errorf("the event's %s holds a character that no attribute may have", a.name)
		}
	}
	left := measure{bytes: MaxDataBytes, values: MaxEventValues}
	if err := left.take(e.Data, MaxDataDepth); err != nil {
		return fmt.Errorf("the event's data %w; send where it is to be found instead", err)
	}
	return nil
}

// Unprintable reports whether an attribute may not have a character, by the type String
// of CloudEvents. An unpaired surrogate is decoded as the replacement character, which
// would make two ids equal.
func Unprintable(r rune) bool {
	return unicode.IsControl(r) || r == unicode.ReplacementChar || r >= 0xFDD0 && r <= 0xFDEF || r&0xFFFE == 0xFFFE
}

// measure is the rest of the limits while data is measured. A value that is in two places
// counts twice, as it is encoded twice. It stops at a limit.
type measure struct{ bytes, values int }

func (m *measure) take(v any, depth int) error {
	if m.values--; m.values < 0 {
		return fmt.Errorf("has more than %d values", MaxEventValues)
	}
	var err error
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			if err = m.within(depth); err == nil {
				err = m.text(k)
			}
			if err == nil {
				err = m.take(inner, depth-1)
			}
			if err != nil {
				return err
			}
		}
		return m.spend(2)
	case []any:
		for _, inner := range v {
			if err = m.within(depth); err == nil {
				err = m.take(inner, depth-1)
			}
			if err != nil {
				return err
			}
		}
		return m.spend(2)
	case string:
		return m.text(v)
	case float64:
		var buffer [32]byte
		return m.spend(len(strconv.AppendFloat(buffer[:0], v, 'g', -1, 64)) + 1)
	case json.Number:
		return m.spend(len(v) + 1)
	case json.RawMessage:
		return m.spend(len(v) + 1)
	}
	return m.spend(len("null,"))
}

func (m *measure) within(depth int) error {
	if depth <= 0 {
		return fmt.Errorf("is nested more than %d deep", MaxDataDepth)
	}
	return nil
}

// text spends the length of a text in JSON: the quotes, a comma or colon, and its escapes.
func (m *measure) text(s string) error {
	n := len(s) + 3
	for i := 0; i < len(s) && n <= m.bytes; i++ {
		switch c := s[i]; {
		case c == '"', c == '\\':
			n++
		case c < ' ', c == '<', c == '>', c == '&':
			n += len(`\u0000`) - 1
		}
	}
	return m.spend(n)
}

func (m *measure) spend(n int) error {
	if m.bytes -= n; m.bytes < 0 {
		return fmt.Errorf("has more than %d bytes", MaxDataBytes)
	}
	return nil
}

// clipAt bounds, in bytes, a text from outside in an error or a log.
const clipAt = 100

// Echo returns a text from outside as an error or a log may contain it: cut, and quoted
// where it has characters that a terminal would interpret.
func Echo(text string) string {
	text = Cut(text)
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}

// Cut returns the beginning of a text from outside, as valid UTF-8.
func Cut(text string) string {
	if len(text) > clipAt {
		text = text[:clipAt] + "..."
	}
	return strings.ToValidUTF8(text, "")
}

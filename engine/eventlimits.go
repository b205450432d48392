package engine

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// The most that one event may have, whoever sends it.
const (
	// MaxDataBytes is how long its data may be, written as JSON: an event has to fit into
	// the 4 MiB that a peer reads of one request.
	MaxDataBytes = 4<<20 - 64<<10
	// MaxEventValues is how many JSON values an event may have, inner ones too. A value
	// takes some 40 bytes of memory once it is decoded, however short it was.
	MaxEventValues = 100_000
	// MaxDataDepth is how deep arrays and objects of its data may be nested.
	MaxDataDepth = 64
	// MaxAttributeBytes is how long an attribute may be: ids and sources are kept for long.
	MaxAttributeBytes = 1024
)

// check refuses an event of an agent here that no peer would take: it would take as
// much memory here as there.
func (e *Event) check() error {
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

// Unprintable characters are those that an attribute may not have, by the type String of
// CloudEvents. The replacement character is what an unpaired surrogate was read as, and
// would make two ids one.
func Unprintable(r rune) bool {
	return unicode.IsControl(r) || r == unicode.ReplacementChar || r >= 0xFDD0 && r <= 0xFDEF || r&0xFFFE == 0xFFFE
}

// measure is what is left of the limits while data is looked at. It counts what is in
// two places twice, as it would be written, and ends where a limit is reached.
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

// text spends what a text takes in JSON: the quotes, a comma or colon, and its escapes.
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

// clipAt is how many bytes of what others sent an error or a log repeats.
const clipAt = 100

// Echo is a text of somebody else's as an error or a log may repeat it: cut, and in
// quotes where it has characters that a terminal acts upon.
func Echo(text string) string {
	text = cut(text)
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}

// cut is a text that is not too long to be repeated, as UTF-8.
func cut(text string) string {
	if len(text) > clipAt {
		text = text[:clipAt] + "..."
	}
	return strings.ToValidUTF8(text, "")
}

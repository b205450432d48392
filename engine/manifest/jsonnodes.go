package manifest

import (
	"bytes"
	"encoding/json"
	"io"

	"go.yaml.in/yaml/v3"
)

// isJSON reports whether data is one JSON object or more, one after the other. YAML has
// almost all of JSON, but not a tab before a field, the escape \/, surrogate pairs, or objects
// without --- between them.
func isJSON(data []byte) bool {
	if !bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")) {
		return false
	}
	for reader := json.NewDecoder(bytes.NewReader(data)); ; {
		var value json.RawMessage
		if err := reader.Decode(&value); err != nil {
			return err == io.EOF
		}
	}
}

// eachJSON calls do for each value of data, which isJSON, until it returns false. The nodes
// are those of the same text as YAML.
func eachJSON(data []byte, do func(*yaml.Node) bool) {
	b := jsonNodes{data: data, reader: json.NewDecoder(bytes.NewReader(data)), line: 1, column: 1}
	b.reader.UseNumber()
	for node := b.next(); node != nil; node = b.next() {
		if !do(node) {
			return
		}
	}
}

// jsonNodes builds YAML nodes from JSON, with lines and columns.
type jsonNodes struct {
	data   []byte
	reader *json.Decoder
	// at is the end of what was read, line and column are those of at.
	at, line, column int
}

// next returns the next value; nil at the end of the data, of an object or of a list.
func (b *jsonNodes) next() *yaml.Node {
	token, err := b.reader.Token()
	if err != nil {
		return nil
	}
	b.skip(func(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',' || c == ':' })
	n := &yaml.Node{Kind: yaml.ScalarNode, Line: b.line, Column: b.column}
	end := int(b.reader.InputOffset())
	text := string(b.data[b.at:end])
	b.skip(func(byte) bool { return b.at < end })
	switch token := token.(type) {
	case json.Delim:
		if token == '}' || token == ']' {
			return nil
		}
		n.Kind, n.Tag, n.Style = yaml.MappingNode, "!!map", yaml.FlowStyle
		if token == '[' {
			n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
		}
		for item := b.next(); item != nil; item = b.next() {
			n.Content = append(n.Content, item)
		}
	case string:
		n.Value, n.Tag, n.Style = token, "!!str", yaml.DoubleQuotedStyle
	default: // a number, true, false or null, which are the same in YAML
		n.Value = text
		n.Tag = n.ShortTag()
	}
	return n
}

// skip moves at over the bytes for which is returns true.
func (b *jsonNodes) skip(is func(byte) bool) {
	for b.at < len(b.data) && is(b.data[b.at]) {
		switch c := b.data[b.at]; {
		case c == '\n':
			b.line, b.column = b.line+1, 1
		case c&0xC0 != 0x80: // not within a character
			b.column++
		}
		b.at++
	}
}

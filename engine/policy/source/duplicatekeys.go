package source

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/scanflow-k8s/scanflow/engine/policy/bounded"
)

// errDuplicateKey is the error for a key that occurs twice in an object of a data
// file. Parsers keep only one of the values.
var errDuplicateKey = errors.New("is in one object twice")

const duplicateKeyFix = "keep one"

func duplicateKeyError(line int, key string) error {
	return &bounded.Place{Line: line, Err: fmt.Errorf("the key %.60q %w", key, errDuplicateKey)}
}

// checkYAMLKeys returns a *bounded.Place for a duplicate key. Keys with the same text
// in JSON are duplicates.
func checkYAMLKeys(n *yaml.Node) error {
	if n.Kind == yaml.MappingNode {
		seen := make(map[string]bool, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			line := key.Line
			if key.Kind == yaml.AliasNode {
				key = key.Alias
			}
			if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge" {
				continue
			}
			if seen[key.Value] {
				return duplicateKeyError(line, key.Value)
			}
			seen[key.Value] = true
		}
	}
	for _, part := range n.Content { // the content of an alias is checked at its anchor
		if err := checkYAMLKeys(part); err != nil {
			return err
		}
	}
	return nil
}

// jsonKey is a key of an object with its offset.
type jsonKey struct {
	text []byte
	at   int
}

// checkJSONKeys returns a *bounded.Place for a duplicate key. Because data may be
// large, it only stores the keys of the objects that are open.
func checkJSONKeys(raw []byte) error {
	var keys []jsonKey
	var open []int // for each open object, the index of its first key
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '{':
			open = append(open, len(keys))
		case '}':
			from := open[len(open)-1]
			if second := duplicateOf(keys[from:]); second != nil {
				return duplicateKeyError(bytes.Count(raw[:second.at], []byte("\n"))+1, string(second.text))
			}
			keys, open = keys[:from], open[:len(open)-1]
		case '"':
			end := i + 1
			for ; raw[end] != '"'; end++ {
				if raw[end] == '\\' {
					end++
				}
			}
			if key, is := keyAt(raw, i, end); is {
				keys = append(keys, jsonKey{key, i})
			}
			i = end
		}
	}
	return nil
}

// keyAt returns the string between two quotes if it is a key, so that a colon follows.
func keyAt(raw []byte, begin, end int) ([]byte, bool) {
	rest := bytes.TrimLeft(raw[end+1:], " \t\r\n")
	if len(rest) == 0 || rest[0] != ':' {
		return nil, false
	}
	text := raw[begin+1 : end]
	if bytes.IndexByte(text, '\\') < 0 {
		return text, true
	}
	var key string
	err := json.Unmarshal(raw[begin:end+1], &key)
	return []byte(key), err == nil
}

// duplicateOf returns the second of two equal keys, or nil. It sorts the keys.
func duplicateOf(keys []jsonKey) *jsonKey {
	if len(keys) < 2 {
		return nil
	}
	slices.SortFunc(keys, func(a, b jsonKey) int {
		return cmp.Or(bytes.Compare(a.text, b.text), a.at-b.at)
	})
	for i := range len(keys) - 1 {
		if bytes.Equal(keys[i].text, keys[i+1].text) {
			return &keys[i+1]
		}
	}
	return nil
}

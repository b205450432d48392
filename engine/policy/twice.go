package policy

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

// errTwice is of a key that an object of a data file has twice: parsers keep one of the
// values, and whoever reads the file may look at the other.
var errTwice = errors.New("is in one object twice")

const twiceFix = "keep one"

func twice(line int, key string) error {
	return &bounded.Place{Line: line, Err: fmt.Errorf("the key %.60q %w", key, errTwice)}
}

// yamlKeysOnce is an error, a *bounded.Place, for a key that is there twice. Keys that JSON
// writes alike are the same.
func yamlKeysOnce(n *yaml.Node) error {
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
				return twice(line, key.Value)
			}
			seen[key.Value] = true
		}
	}
	for _, part := range n.Content { // those of an alias are where its anchor is
		if err := yamlKeysOnce(part); err != nil {
			return err
		}
	}
	return nil
}

// jsonKey is a key of an object, and where it is written.
type jsonKey struct {
	text []byte
	at   int
}

// jsonKeysOnce does the same for a text that is JSON. It holds the keys of the objects that
// are open, and no more: data may be large.
func jsonKeysOnce(raw []byte) error {
	var keys []jsonKey
	var open []int // where the keys of each object begin that is open
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '{':
			open = append(open, len(keys))
		case '}':
			from := open[len(open)-1]
			if second := again(keys[from:]); second != nil {
				return twice(bytes.Count(raw[:second.at], []byte("\n"))+1, string(second.text))
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

// keyAt is the text between two quotes, where that is a key: a colon follows.
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

// again is the second of two keys that are the same, nil where there is none. It sorts them.
func again(keys []jsonKey) *jsonKey {
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

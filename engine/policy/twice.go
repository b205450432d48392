package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/scanflow-k8s/scanflow/engine/policy/bounded"
)

// errTwice is of a name that an object has twice: the last one would count, and nobody
// would miss the first.
var errTwice = errors.New("is set twice")

// twiceFix says what to do.
const twiceFix = "keep one"

// onceJSON is an error, a *bounded.Place, for a name that an object has twice. Of what is
// no JSON it says nothing.
func onceJSON(raw []byte) error {
	type object struct {
		names map[string]int64 // where each ends; nil for an array
		value bool             // a value is next, no name
	}
	var open []object
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	for {
		token, err := d.Token()
		if err != nil {
			return nil //nolint:nilerr // also at the end; who reads it says what is wrong
		}
		top := len(open) - 1
		if name, ok := token.(string); ok && top >= 0 && open[top].names != nil && !open[top].value {
			if first, twice := open[top].names[name]; twice {
				return &bounded.Place{Line: lineAt(raw, d.InputOffset()), Err: fmt.Errorf("%q %w, first on line %d", name, errTwice, lineAt(raw, first))}
			}
			open[top].names[name], open[top].value = d.InputOffset(), true
			continue
		}
		if top >= 0 {
			open[top].value = false
		}
		switch token {
		case json.Delim('{'):
			open = append(open, object{names: map[string]int64{}})
		case json.Delim('['):
			open = append(open, object{})
		case json.Delim('}'), json.Delim(']'):
			open = open[:top]
		}
	}
}

func lineAt(raw []byte, offset int64) int { return bytes.Count(raw[:offset], []byte("\n")) + 1 }

package policy

import (
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/scanflow-k8s/scanflow/engine/policy/bounded"
)

// errRounded is of a whole number in YAML that policies would not see as it is written.
var errRounded = errors.New("would be rounded")

// roundedFix says what keeps such a number.
const roundedFix = "write it in quotes, or in a data.json"

// wholeNumber is one as YAML writes it, to the base of ten.
var wholeNumber = regexp.MustCompile(`^[-+]?[0-9][0-9_]*$`)

// exactYAML is an error, a *bounded.Place, for what is another once the text is read: a whole
// number (YAML keeps those of 64 bits, and reads larger ones as floats), and a key that is
// there twice.
func exactYAML(raw []byte) error {
	var doc yaml.Node
	if yaml.Unmarshal(raw, &doc) != nil {
		return nil // the parser says so
	}
	if err := yamlKeysOnce(&doc); err != nil {
		return err
	}
	return exactNode(&doc)
}

func exactNode(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!float" && wholeNumber.MatchString(n.Value) && !fitsFloat(n.Value) {
		return &bounded.Place{Line: n.Line, Err: fmt.Errorf("the whole number %.60s %w", n.Value, errRounded)}
	}
	if n.Kind == yaml.MappingNode {
		seen := map[string]int{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if line := seen[key.Value]; line > 0 && key.Kind == yaml.ScalarNode {
				return &bounded.Place{Line: key.Line, Err: fmt.Errorf("%q %w, first on line %d", key.Value, errTwice, line)}
			}
			seen[key.Value] = key.Line
		}
	}
	for _, part := range n.Content { // those of an alias are where its anchor is
		if err := exactNode(part); err != nil {
			return err
		}
	}
	return nil
}

// fitsFloat reports whether a whole number is a float64.
func fitsFloat(text string) bool {
	whole, ok := new(big.Int).SetString(strings.ReplaceAll(strings.TrimPrefix(text, "+"), "_", ""), 10)
	if !ok {
		return false
	}
	f, err := strconv.ParseFloat(whole.String(), 64)
	if err != nil {
		return false
	}
	back, _ := new(big.Float).SetFloat64(f).Int(nil)
	return back.Cmp(whole) == 0
}

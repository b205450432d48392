package source

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

// errRounded is the error for an integer in YAML that does not fit a float64.
var errRounded = errors.New("would be rounded")

// roundedFix is the advice for errRounded.
const roundedFix = "write it in quotes, or in a data.json"

// wholeNumber matches a decimal integer in YAML.
var wholeNumber = regexp.MustCompile(`^[-+]?[0-9][0-9_]*$`)

// checkYAMLText returns a *bounded.Place for content that parsing would change: an
// integer of more than 64 bits, which is parsed as a float, and a duplicate key.
func checkYAMLText(raw []byte) error {
	var doc yaml.Node
	if yaml.Unmarshal(raw, &doc) != nil {
		return nil // the parser reports the error
	}
	if err := checkYAMLKeys(&doc); err != nil {
		return err
	}
	return checkYAMLNode(&doc)
}

func checkYAMLNode(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!float" && wholeNumber.MatchString(n.Value) && !fitsFloat(n.Value) {
		return &bounded.Place{Line: n.Line, Err: fmt.Errorf("the whole number %.60s %w", n.Value, errRounded)}
	}
	if n.Kind == yaml.MappingNode {
		seen := map[string]int{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if line := seen[key.Value]; line > 0 && key.Kind == yaml.ScalarNode {
				return &bounded.Place{Line: key.Line, Err: fmt.Errorf("%q %w, first on line %d", key.Value, errDuplicateKey, line)}
			}
			seen[key.Value] = key.Line
		}
	}
	for _, part := range n.Content { // the content of an alias is checked at its anchor
		if err := checkYAMLNode(part); err != nil {
			return err
		}
	}
	return nil
}

// fitsFloat reports whether a float64 can represent an integer.
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

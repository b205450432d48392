package bounded

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

const (
	// MaxOperators bounds the operators of a Rego module for rego.parse_module, and
	// MaxNested the depth of its brackets: OPA serializes the tree once for each level.
	MaxOperators = 256
	MaxNested    = 100
	// MaxCompared bounds the pairs of words that GraphQL's validation compares: each field
	// of a query with the others, and each unknown one with the names of the schema.
	MaxCompared = 1 << 18
	// MaxKeys bounds the keys of an object in a YAML text that a built-in parses: the parser
	// compares each with all others.
	MaxKeys = 4096
	// MaxFileKeys is MaxKeys for a data file.
	MaxFileKeys = 1 << 14
)

// language bounds a text in a language whose parsing is slower than linear.
func language(args []*ast.Term) error {
	for i, t := range args {
		if s := textOf(t); len(s) > MaxProgram {
			return refuse("operand %d is longer than %d bytes; pass on a shorter text", i+1, MaxProgram)
		}
		if err := CheckSource([]byte(textOf(t))); err != nil {
			return refuse("operand %d is nested deeper than %d levels; pass on a simpler text", i+1, MaxDepth)
		}
		if !Within(t.Value, MaxProgram*8) {
			return refuse("operand %d is larger than %d bytes when it is written out; pass on a smaller value", i+1, MaxProgram*8)
		}
	}
	return nil
}

// module bounds rego.parse_module.
func module(args []*ast.Term) error {
	if err := language(args); err != nil {
		return err
	}
	source := textOf(args[1])
	if checkDepth([]byte(source), MaxNested) != nil {
		return refuse("the module is nested deeper than %d levels; pass on a simpler one", MaxNested)
	}
	if operators(source) > MaxOperators {
		return refuse("the module has more than %d operators; pass on a smaller one", MaxOperators)
	}
	return nil
}

// operators counts the operators of a Rego module, including those in strings and comments.
func operators(source string) int {
	n, within := 0, false
	for _, word := range strings.Fields(source) {
		if word == "in" {
			n++
		}
	}
	for i := range len(source) {
		is := strings.IndexByte("+-*/%|&=!<>", source[i]) >= 0
		if is && (!within || source[i] == '-') {
			n++
		}
		within = is
	}
	return n
}

// query bounds the built-ins that validate a GraphQL query.
func query(args []*ast.Term) error {
	if err := language(args); err != nil {
		return err
	}
	own, all := words(args[0]), 0
	for _, t := range args[:min(len(args), 2)] {
		all += words(t)
	}
	if own*all > MaxCompared {
		return refuse("the query has %d words, and would be held against %d; pass on a smaller one", own, all)
	}
	return nil
}

// words counts the names and numbers of a text, or estimates those of a syntax tree,
// which has four words for each.
func words(t *ast.Term) int {
	text, each := textOf(t), 1
	if text == "" {
		text, each = t.Value.String(), 4
	}
	n, within := 0, false
	for i := range len(text) {
		c := text[i]
		is := c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if is && !within {
			n++
		}
		within = is
	}
	return n / each
}

package bounded

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"go.yaml.in/yaml/v3"
)

// Place is an error with its line in a text, counted from 1.
type Place struct {
	Line int
	Err  error
}

// Error returns the error with its line.
func (p *Place) Error() string { return fmt.Sprintf("line %d: %s", p.Line, p.Err) }

// Unwrap returns the error without its line.
func (p *Place) Unwrap() error { return p.Err }

func errDeep() error { return fmt.Errorf("is nested deeper than %d levels", MaxDepth) }

// CheckJSON returns a *Place for a JSON text that is nested deeper than MaxDepth or
// contains a number of more than MaxDigits digits. It leaves syntax errors to the parser.
func CheckJSON(raw []byte) error {
	_, err := scanJSON(raw)
	return err
}

// scanJSON also returns the approximate number of values.
func scanJSON(raw []byte) (values int, err error) {
	depth := 0
	fail := func(i int, err error) (int, error) {
		return values, &Place{Line: bytes.Count(raw[:i], []byte("\n")) + 1, Err: err}
	}
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '"':
			for i++; i < len(raw) && raw[i] != '"'; i++ {
				if raw[i] == '\\' {
					i++
				}
			}
		case c == '[' || c == '{':
			values++
			if depth++; depth > MaxDepth {
				return fail(i, errDeep())
			}
		case c == ']' || c == '}':
			depth--
		case c == ',':
			values++
		case c == '-' || c >= '0' && c <= '9':
			end := i + 1
			for end < len(raw) && strings.IndexByte("+-.eE", raw[end]) >= 0 || end < len(raw) && raw[end] >= '0' && raw[end] <= '9' {
				end++
			}
			if end-i > 18 || bytes.ContainsAny(raw[i:end], "eE") {
				if err := CheckNumber(string(raw[i:end])); err != nil {
					return fail(i, err)
				}
			}
			i = end - 1
		}
	}
	return values, nil
}

// CheckYAML returns a *Place for a YAML text that is nested deeper than MaxDepth, that
// expands to more than most bytes, or that has objects of more than MaxFileKeys keys. It
// leaves syntax errors to the parser, which reads a number with too large an exponent as
// a string.
func CheckYAML(raw []byte, most int64) error { return checkYAML(raw, most, MaxFileKeys) }

func checkYAML(raw []byte, most, keys int64) error {
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return nil //nolint:nilerr // the parser reports the error
	}
	y := yamlCosts{most: most, keys: keys, known: map[*yaml.Node]yamlCost{}}
	_, err := y.of(&doc, 0)
	return err
}

// yamlCost estimates the work of the parser for a part of a YAML text, with aliases expanded.
type yamlCost struct {
	bytes int64
	pairs int64 // of keys of one object, all of which are compared
}

func (c *yamlCost) add(part yamlCost) {
	c.bytes = min(c.bytes, math.MaxInt64/4) + min(part.bytes, math.MaxInt64/4)
	c.pairs = min(c.pairs, math.MaxInt64/4) + min(part.pairs, math.MaxInt64/4)
}

type yamlCosts struct {
	most  int64                   // bytes
	keys  int64                   // of one object; its square bounds the pairs
	known map[*yaml.Node]yamlCost // of nodes with an anchor
}

func (y *yamlCosts) of(n *yaml.Node, depth int) (yamlCost, error) {
	if depth > MaxDepth {
		return yamlCost{}, &Place{Line: n.Line, Err: errDeep()}
	}
	switch n.Kind {
	case yaml.AliasNode:
		cost, ok := y.known[n.Alias]
		if !ok { // the alias is inside of its anchor
			return yamlCost{}, &Place{Line: n.Line, Err: fmt.Errorf("alias %q holds itself", n.Value)}
		}
		return cost, nil
	case yaml.ScalarNode:
		return y.keep(n, yamlCost{bytes: int64(len(n.Value)) + 2}), nil
	}
	total := yamlCost{bytes: 2}
	if n.Kind == yaml.MappingNode {
		keys := int64(len(n.Content) / 2)
		total.pairs = keys * keys
	}
	for _, part := range n.Content {
		cost, err := y.of(part, depth+1)
		if err != nil {
			return yamlCost{}, err
		}
		if total.add(cost); total.bytes > y.most {
			return yamlCost{}, &Place{Line: part.Line, Err: fmt.Errorf("is larger than %d bytes when its aliases are written out", y.most)}
		}
	}
	if total.pairs > y.keys*y.keys {
		return yamlCost{}, &Place{Line: n.Line, Err: fmt.Errorf("has an object of more than %d keys, or many of fewer, which takes a parser of YAML long: it compares each with all others; write it as JSON", y.keys)}
	}
	return y.keep(n, total), nil
}

func (y *yamlCosts) keep(n *yaml.Node, cost yamlCost) yamlCost {
	if n.Anchor != "" {
		y.known[n] = cost
	}
	return cost
}

// CheckSource returns a *Place for Rego whose brackets are nested deeper than MaxDepth,
// because OPA's parser and compiler are recursive.
func CheckSource(raw []byte) error { return checkDepth(raw, MaxDepth) }

func checkDepth(raw []byte, most int) error {
	depth, line := 0, 1
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; c {
		case '\n':
			line++
		case '#':
			for i+1 < len(raw) && raw[i+1] != '\n' {
				i++
			}
		case '"', '`':
			for i++; i < len(raw) && raw[i] != c; i++ {
				if raw[i] == '\n' {
					line++
					if c == '"' {
						break // a syntax error
					}
				}
				if raw[i] == '\\' && c == '"' {
					i++
				}
			}
		case '[', '{', '(':
			if depth++; depth > most {
				return &Place{Line: line, Err: errDeep()}
			}
		case ']', '}', ')':
			depth--
		}
	}
	return nil
}

func readJSON(args []*ast.Term) error {
	if err := text(MaxText)(args); err != nil {
		return err
	}
	values, err := scanJSON([]byte(textOf(args[0])))
	if err != nil {
		return refuse("%s; pass on a simpler text", because(err))
	}
	return fewValues(values)
}

func fewValues(n int) error {
	if n > MaxElements {
		return refuse("the text holds more than %d values; pass on a smaller text", MaxElements)
	}
	return nil
}

func because(err error) string {
	var p *Place
	if errors.As(err, &p) && strings.HasPrefix(p.Err.Error(), "is ") {
		return "the text " + p.Err.Error()
	}
	return err.Error()
}

func readYAML(args []*ast.Term) error {
	if err := text(MaxText)(args); err != nil {
		return err
	}
	raw := textOf(args[0])
	if err := fewValues(strings.Count(raw, ",") + strings.Count(raw, "\n") + strings.Count(raw, "[")); err != nil {
		return err
	}
	if err := checkYAML([]byte(raw), MaxText*2, MaxKeys); err != nil {
		return refuse("%s; pass on a simpler text", because(err))
	}
	return nil
}

// writtenText bounds the result of json.marshal and yaml.marshal.
func writtenText(args []*ast.Term) error {
	if !Within(args[0].Value, MaxText) {
		return tooMuchText("the text")
	}
	return nil
}

// indented bounds json.marshal_with_options, which writes each value on its own line.
func indented(args []*ast.Term) error {
	size, ok := Written(args[0].Value, MaxText)
	if !ok {
		return tooMuchText("the text")
	}
	options, _ := args[1].Value.(ast.Object)
	if options == nil {
		return nil
	}
	each := int64(1) // a tab
	for _, key := range []string{"indent", "prefix"} {
		if t := options.Get(ast.StringTerm(key)); t != nil {
			each = max(each, int64(len(textOf(t))))
		}
	}
	if size.Bytes+size.Bytes/2*each*int64(size.Depth+1) > MaxText*4 {
		return tooMuchText("the indented text")
	}
	return nil
}

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

// Place is where in a text something is wrong; lines count from 1.
type Place struct {
	Line int
	Err  error
}

// Error says where and what.
func (p *Place) Error() string { return fmt.Sprintf("line %d: %s", p.Line, p.Err) }

// Unwrap gives what is wrong.
func (p *Place) Unwrap() error { return p.Err }

func errDeep() error { return fmt.Errorf("is nested deeper than %d levels", MaxDepth) }

// CheckJSON is an error of type *Place for a JSON text that is nested deeper than
// MaxDepth or holds a number of more than MaxDigits digits. It leaves what is no JSON to
// the parser.
func CheckJSON(raw []byte) error {
	_, err := scanJSON(raw)
	return err
}

// scanJSON also counts the values, about.
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

// CheckYAML is an error of type *Place for a YAML text that is nested deeper than MaxDepth
// or that its aliases make larger than most bytes. It leaves what is no YAML to the parser,
// by which a number with too large an exponent is a string.
func CheckYAML(raw []byte, most int64) error {
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return nil //nolint:nilerr // the parser says so
	}
	y := yamlSize{most: most, sizes: map[*yaml.Node]int64{}}
	_, err := y.of(&doc, 0)
	return err
}

type yamlSize struct {
	most  int64
	sizes map[*yaml.Node]int64 // of those that have an anchor
}

func (y *yamlSize) of(n *yaml.Node, depth int) (int64, error) {
	if depth > MaxDepth {
		return 0, &Place{Line: n.Line, Err: errDeep()}
	}
	switch n.Kind {
	case yaml.AliasNode:
		size, ok := y.sizes[n.Alias]
		if !ok { // within itself
			return 0, &Place{Line: n.Line, Err: fmt.Errorf("alias %q holds itself", n.Value)}
		}
		return size, nil
	case yaml.ScalarNode:
		y.keep(n, int64(len(n.Value))+2)
		return int64(len(n.Value)) + 2, nil
	}
	total := int64(2)
	for _, part := range n.Content {
		size, err := y.of(part, depth+1)
		if err != nil {
			return 0, err
		}
		if total = min(total, math.MaxInt64/4) + min(size, math.MaxInt64/4); total > y.most {
			return 0, &Place{Line: part.Line, Err: fmt.Errorf("is larger than %d bytes when its aliases are written out", y.most)}
		}
	}
	y.keep(n, total)
	return total, nil
}

func (y *yamlSize) keep(n *yaml.Node, size int64) {
	if n.Anchor != "" {
		y.sizes[n] = size
	}
}

// CheckSource is an error of type *Place for Rego whose brackets are nested deeper than
// MaxDepth: OPA's parser and compiler descend into each.
func CheckSource(raw []byte) error {
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
						break // an error of the parser
					}
				}
				if raw[i] == '\\' && c == '"' {
					i++
				}
			}
		case '[', '{', '(':
			if depth++; depth > MaxDepth {
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
	if err := CheckYAML([]byte(raw), MaxText*2); err != nil {
		return refuse("%s; pass on a simpler text", because(err))
	}
	return nil
}

// writtenText bounds what json.marshal and yaml.marshal give.
func writtenText(args []*ast.Term) error {
	if !Within(args[0].Value, MaxText) {
		return tooMuchText("the text")
	}
	return nil
}

// indented bounds json.marshal_with_options: each value stands on a line of its own.
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

// language bounds a text in a language whose reading costs more than its length.
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

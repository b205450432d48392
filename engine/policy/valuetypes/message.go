package valuetypes

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine/policy/spelling"
)

func (c *checker) skip(at *ast.Location) {
	if at != nil && at.File != "" {
		c.skipped[Place{at.File, at.Row, at.Col}] = true
	}
}

func (c *checker) report(f *frame, at *ast.Location, found Finding, message, fix string) {
	found.Message, found.Fix = message, fix
	if at != nil {
		found.File, found.Line, found.Column = at.File, at.Row, at.Col
	}
	f.findings = append(f.findings, found)
}

// missing reports a key that no value of a type has. reference is the whole of what was
// written, and owner the part of it before the key.
func (c *checker) missing(f *frame, at *ast.Location, reference, owner string, key ast.Value, of *Type) {
	if of.kinds&objectKind == 0 {
		c.noElements(f, at, reference, owner, of)
		return
	}
	name := strings.Trim(key.String(), `"`)
	names := slices.Sorted(maps.Keys(of.fields))
	near := nearest(name, names)
	fix := "it has " + shortList(names)
	if near != "" {
		fix = "did you mean " + fieldText(owner, near) + "?"
	}
	if len(names) == 0 {
		fix = "it has no fields"
	}
	c.report(f, at, Finding{kind: "missing " + name, near: near != ""}, fmt.Sprintf("undefined ref: %s: %s never has a field %s", reference, owner, key), fix)
}

// noElements reports a part of a value that has no parts.
func (c *checker) noElements(f *frame, at *ast.Location, reference, owner string, of *Type) {
	c.report(f, at, Finding{kind: "elements"}, fmt.Sprintf("undefined ref: %s: %s is %s, which has no such part", reference, owner, of.kinds), "use the value itself")
}

// text is a term as its author wrote it.
func (f *frame) text(c *checker, t *ast.Term) string {
	switch v := t.Value.(type) {
	case ast.Var:
		if written, ok := c.Compiler.RewrittenVars[v]; ok {
			return string(written)
		}
		if text, ok := f.texts[v]; ok {
			return oneLine(text)
		}
		return string(v)
	case ast.Ref:
		if t.Location != nil && len(t.Location.Text) > 0 {
			return oneLine(string(t.Location.Text))
		}
		return f.prefix(c, v, len(v))
	}
	return oneLine(t.String())
}

// prefix is the beginning of a reference as its author would write it.
func (f *frame) prefix(c *checker, ref ast.Ref, n int) string {
	out := f.text(c, ref[0])
	for _, t := range ref[1:n] {
		if key, ok := t.Value.(ast.String); ok {
			out = fieldText(out, string(key))
		} else {
			out += "[" + f.text(c, t) + "]"
		}
	}
	return out
}

// fieldText is a reference to a field of a value.
func fieldText(owner, name string) string {
	if ast.IsVarCompatibleString(name) {
		return owner + "." + name
	}
	return owner + "[" + strconv.Quote(name) + "]"
}

// exprText is an expression as its author wrote it, without `not`.
func exprText(e *ast.Expr) string {
	text := ""
	if e.Location != nil {
		text = string(e.Location.Text)
	}
	if text == "" {
		text = e.String()
	}
	return oneLine(strings.TrimPrefix(text, "not "))
}

const maxText = 100

// oneLine is a text for a message.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "..."
	}
	return text
}

const maxNames = 12

func shortList(names []string) string {
	if len(names) > maxNames {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNames], ", "), len(names)-maxNames)
	}
	return strings.Join(names, ", ")
}

// article removes the article of a single kind, for "above every number".
func article(k kinds) string {
	text := k.String()
	for _, before := range []string{"a ", "an "} {
		if after, ok := strings.CutPrefix(text, before); ok && !strings.Contains(text, " or ") {
			return after
		}
	}
	return "value that is " + text
}

// nearest is the name that a misspelt one was probably meant to be, or "".
func nearest(name string, names []string) string {
	for distance := 1; distance <= max(1, min(3, len(name)/3)); distance++ {
		for _, n := range names {
			if len(n) > 1 && spelling.Similar(name, n, distance) {
				return n
			}
		}
	}
	for _, n := range names {
		if len(name) > 1 && (strings.HasPrefix(n, name+"_") || strings.HasPrefix(name, n+"_")) {
			return n
		}
	}
	return ""
}

func enumFix(words, written []string) string {
	if len(written) == 1 {
		if near := nearest(written[0], words); near != "" {
			return fmt.Sprintf("did you mean %q?", near)
		}
	}
	return "compare with one of these"
}

// comparisonFix says how two sides of different types can be compared.
func (c *checker) comparisonFix(f *frame, a, b *ast.Term, left, right *Type) string {
	for _, side := range []struct {
		t       *ast.Term
		of      *Type
		other   *Type
		literal *ast.Term
	}{{a, left, right, b}, {b, right, left, a}} {
		if fix := suggestField(side.of, f.text(c, side.t), side.other.kinds, side.t); fix != "" {
			return fix
		}
		if text, ok := side.literal.Value.(ast.String); ok && side.of.kinds == numberKind {
			if number := ast.Number(strings.TrimSpace(string(text))); isNumber(number) {
				return "write " + string(number) + " without quotes"
			}
		}
	}
	if left.kinds|right.kinds == numberKind|textKind {
		return "compare values of one type; to_number(text) reads a number"
	}
	return "compare values of one type"
}

func isNumber(n ast.Number) bool {
	_, err := strconv.ParseFloat(string(n), 64)
	return err == nil
}

// suggestField is the fix for an object where one of its fields was meant, or "".
func suggestField(of *Type, text string, want kinds, t *ast.Term) string {
	if of.kinds != objectKind {
		return ""
	}
	switch t.Value.(type) {
	case ast.Ref, ast.Var:
	default:
		return ""
	}
	var fits []string
	for _, name := range slices.Sorted(maps.Keys(of.fields)) {
		if of.fields[name].kinds&want != 0 {
			if name == "value" {
				return "did you mean " + fieldText(text, name) + "?"
			}
			fits = append(fits, name)
		}
	}
	if len(fits) == 1 {
		return "did you mean " + fieldText(text, fits[0]) + "?"
	}
	return ""
}

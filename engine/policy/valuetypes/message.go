package valuetypes

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine/policy/spelling"
)

func (c *checker) skip(at *ast.Location) {
	if at != nil && at.File != "" && !c.quiet {
		c.skipped[Place{at.File, at.Row, at.Col}] = true
	}
}

func (c *checker) report(f *frame, at *ast.Location, found Finding, message, fix string) {
	found.Message, found.Fix = message, fix
	if at == nil || at.File == "" {
		at = f.at // the compiler generated the term
	}
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
	fix, near := fieldFix(owner, key, of)
	c.report(f, at, Finding{kind: "missing " + key.String(), near: near}, fmt.Sprintf("undefined ref: %s: %s has no field %s", reference, owner, key), fix)
}

// alwaysDefault reports a call of object.get for a key that no value of a type has.
func (c *checker) alwaysDefault(f *frame, e *ast.Expr, owner string, key ast.Value, of *Type) {
	found, reason, fix := Finding{kind: "default " + key.String(), Outcome: Varying}, "", ""
	if of.kinds&objectKind == 0 {
		reason, fix = fmt.Sprintf("%s is %s, which has no fields", owner, of.kinds), "use the value itself"
	} else {
		reason = fmt.Sprintf("%s has no field %s", owner, key)
		fix, found.near = fieldFix(owner, key, of)
	}
	c.report(f, e.Location, found, fmt.Sprintf("%s is always its default: %s", exprText(e), reason), fix)
}

// fieldFix names the fields that there are. near reports whether one
// was meant: it has a similar name, or is there by a setting.
func fieldFix(owner string, key ast.Value, of *Type) (fix string, near bool) {
	if name, ok := key.(ast.String); ok && manifestFields[of.part][string(name)] != "" {
		return manifestFields[of.part][string(name)], true
	}
	names := slices.Sorted(maps.Keys(of.fields))
	if name := nearest(strings.Trim(key.String(), `"`), names); name != "" {
		return "did you mean " + fieldText(owner, name) + "?", true
	}
	switch {
	case len(names) > 0:
		return "it has " + shortList(names), false
	case owner == "input.signals":
		return "the agent has no sensors: add " + strings.Trim(key.String(), `"`) + " to spec.sensors", false
	case owner == "input.params":
		return "the agent sets no params: set " + strings.Trim(key.String(), `"`) + " in spec.params, or read it by object.get with a default", false
	}
	return "it is always empty", false
}

// noElements reports a part of a value that has no parts.
func (c *checker) noElements(f *frame, at *ast.Location, reference, owner string, of *Type) {
	c.report(f, at, Finding{kind: "elements"}, fmt.Sprintf("undefined ref: %s: %s is %s, which has no such part", reference, owner, of.kinds), "use the value itself")
}

// text is a term as its author wrote it.
func (f *frame) text(c *checker, t *ast.Term) string {
	switch v := t.Value.(type) {
	case ast.Var:
		if written, ok := c.Compiler.RewrittenVars[v]; ok && !written.IsGenerated() {
			return string(written)
		}
		if text, ok := f.texts[v]; ok {
			return oneLine(text)
		}
		if v.IsGenerated() {
			return "_"
		}
		return string(v)
	case ast.Ref:
		return f.prefix(c, t, v, len(v))
	}
	return oneLine(t.String())
}

// prefix is the reference ref[:n], where t is the term with the whole of it.
func (f *frame) prefix(c *checker, t *ast.Term, ref ast.Ref, n int) string {
	if t.Location != nil && len(t.Location.Text) > 0 {
		whole := oneLine(string(t.Location.Text))
		if before, ok := strings.CutSuffix(whole, f.keys(c, "", ref[n:])); ok {
			return before
		}
	}
	return f.keys(c, f.text(c, ref[0]), ref[1:n])
}

// keys appends the keys of a reference to a text.
func (f *frame) keys(c *checker, to string, keys ast.Ref) string {
	for _, t := range keys {
		if key, ok := t.Value.(ast.String); ok {
			to = fieldText(to, string(key))
		} else {
			to += "[" + f.text(c, t) + "]"
		}
	}
	return to
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

const (
	maxNames     = 12
	maxSuggested = 3
)

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
	if near := spelling.Nearest(name, names); near != "" {
		return near
	}
	for _, n := range names { // at for at_ns
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
		if fix := suggestField(side.of, f.text(c, side.t), side.other.kinds); fix != "" {
			return fix
		}
		if text, ok := side.literal.Value.(ast.String); ok && side.of.kinds == numberKind {
			if number := strings.TrimSpace(string(text)); isNumber(number) {
				return "write " + number + " without quotes"
			}
		}
		if side.of.enum {
			return "compare with one of " + strings.Join(side.of.texts, ", ")
		}
	}
	if left.kinds|right.kinds == numberKind|textKind {
		return "compare values of one type; to_number(x) reads a number from a string"
	}
	return "compare values of one type"
}

func isNumber(text string) bool {
	_, err := strconv.ParseFloat(text, 64)
	return err == nil
}

// plain are references that a field can be appended to.
var plain = regexp.MustCompile(`^[\w.]+(\[[^()\[\]]*\][\w.]*)*$`)

// suggestField is the fix for an object where one of its fields was meant, or "".
func suggestField(of *Type, text string, want kinds) string {
	if of.kinds != objectKind || !plain.MatchString(text) {
		return ""
	}
	var fits []string
	for _, name := range slices.Sorted(maps.Keys(of.fields)) {
		if of.fields[name].kinds&want != 0 {
			if name == "value" {
				return "did you mean " + fieldText(text, name) + "?"
			}
			fits = append(fits, fieldText(text, name))
		}
	}
	switch {
	case len(fits) == 1:
		return "did you mean " + fits[0] + "?"
	case len(fits) > 1 && len(fits) <= maxSuggested:
		return "did you mean " + strings.Join(fits, " or ") + "?"
	case len(fits) > 1:
		return "use one of its fields"
	}
	return ""
}

// argumentFix says what to pass to a function that takes other types.
func argumentFix(of *Type, text string, want kinds) string {
	if fix := suggestField(of, text, want); fix != "" {
		return fix
	}
	if of.kinds == textKind && want&numberKind != 0 {
		return "to_number(x) reads a number from a string"
	}
	return "pass " + want.String()
}

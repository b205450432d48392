package policy

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy/spelling"
)

// sorted sorts mistakes by place, and by message at one place: maps yield them in any order.
func sorted(ms mistake.Mistakes) mistake.Mistakes {
	slices.SortFunc(ms, func(a, b mistake.Mistake) int { return strings.Compare(a.Message, b.Message) })
	return ms.Sorted()
}

func at(loc *ast.Location, message, fix string) mistake.Mistake {
	m := mistake.Mistake{Message: message, Fix: fix}
	if loc != nil {
		m.File, m.Line, m.Column = loc.File, loc.Row, loc.Col
	}
	return m
}

// fromOPA converts OPA's errors to mistakes.
func fromOPA(err error) mistake.Mistakes {
	var list ast.Errors
	if !errors.As(err, &list) {
		var one *ast.Error
		if !errors.As(err, &one) {
			return mistake.Mistakes{{Message: err.Error()}}
		}
		list = ast.Errors{one}
	}
	out := make(mistake.Mistakes, 0, len(list))
	for _, e := range list {
		message := e.Code + ": " + e.Message
		fix := fixFor(e.Message)
		if invalid, is := e.Details.(*ast.RefErrInvalidDetail); is && e.Code == ast.TypeErr {
			if why, how := undefinedName(invalid); why != "" {
				out = append(out, at(e.Location, message+" ("+why+")", cmp.Or(fixForRef(e.Details), how)))
				continue
			}
		}
		if e.Details != nil {
			if lines := e.Details.Lines(); len(lines) > 0 {
				message += " (" + strings.Join(trimmed(lines), " ") + ")"
			}
		}
		out = append(out, at(e.Location, message, fix))
	}
	return out
}

// undefinedName returns why a reference has no value, and the fix, where it names a key that an
// object does not have; "" for any other reference.
func undefinedName(d *ast.RefErrInvalidDetail) (why, fix string) {
	if d.Pos >= len(d.Ref) || d.Have != nil {
		return "", ""
	}
	have, ok := d.Ref[d.Pos].Value.(ast.String)
	if !ok {
		return "", ""
	}
	var names []string
	for _, v := range d.OneOf {
		if name, is := v.(ast.String); is && name != "" { // a schema without properties has the property ""
			names = append(names, string(name))
		}
	}
	of := d.Ref[:d.Pos].String()
	switch {
	case len(d.OneOf) == 0:
		return "", ""
	case len(names) == 0 && of == "input.signals":
		return "the agent has no sensors", fmt.Sprintf("add the sensor %s to spec.sensors", string(have))
	case len(names) == 0 && of == "input.params":
		return "the agent sets no params", fmt.Sprintf("set %s in spec.params, or read it by object.get with a default", string(have))
	case len(names) == 0:
		return of + " has no fields", ""
	}
	why = fmt.Sprintf("%s has %s", of, joinClipped(names))
	if near := spelling.Nearest(string(have), names); near != "" {
		fix = "did you mean " + near + "?"
	}
	return why, fix
}

func trimmed(lines []string) []string {
	var out []string
	for _, l := range lines {
		if l = strings.TrimSpace(l); strings.Trim(l, "^~ ") != "" {
			out = append(out, l)
		}
	}
	return out
}

var (
	unsafeVar    = regexp.MustCompile(`^var (\S+) is unsafe$`)
	wrongArity   = regexp.MustCompile(`^function (\S+) has arity (\d+), got (\d+) arguments?$`)
	undefinedFn  = regexp.MustCompile(`^undefined function (\S+)$`)
	documentRoot = []string{"input", "data"}
)

// fixFor is the fix for an OPA error: for one that our own restrictions cause, and for those
// that OPA words for its compiler's authors; "" for any other.
func fixFor(message string) string {
	if found := undefinedFn.FindStringSubmatch(message); found != nil {
		if why, off := disabledBuiltins()[found[1]]; off {
			return why
		}
		if strings.HasPrefix(found[1], "data.") {
			return "correct the name, or define the function; a library of scanflow is data.scanflow.lib.NAME"
		}
		return "correct the name; the functions are those of OPA, and of packages that the file imports"
	}
	if found := unsafeVar.FindStringSubmatch(message); found != nil {
		if near := spelling.Closest(found[1], documentRoot); near != "" && !slices.Contains(documentRoot, found[1]) {
			return "did you mean " + near + "?"
		}
		return fmt.Sprintf("%[1]s has no value here: correct its name, define a rule %[1]s in this package, or assign it first, as %[1]s := input.signals.NAME.value", found[1])
	}
	if found := wrongArity.FindStringSubmatch(message); found != nil {
		return fmt.Sprintf("call it with %s, not %s", counted(found[2]), found[3])
	}
	switch {
	case strings.Contains(message, ": arity mismatch"):
		return "call it with as many arguments as `want` lists"
	case strings.Contains(message, "is recursive: "):
		return "break the circle: a rule can't depend on itself"
	case strings.HasPrefix(message, "conflicting rules "):
		return "give all rules of this name one form: `name := value`, `name contains value` or `name(x) := value`"
	case strings.HasPrefix(message, "match error"):
		return "compare values of one type: these are never equal"
	case strings.Contains(message, ": invalid argument(s)"):
		return "pass what `want` lists, in that order"
	case strings.HasSuffix(message, "cannot be used for rule name"):
		return "begin the rule with a name, as `name := value` or `name if {...}`"
	}
	return ""
}

func counted(n string) string {
	if n == "1" {
		return "1 argument"
	}
	return n + " arguments"
}

// fixForRef returns the fix for a reference to a part of the document that a setting of the
// manifest adds; "" for any other.
func fixForRef(details ast.ErrorDetails) string {
	d, is := details.(*ast.RefErrInvalidDetail)
	if !is || d.Pos != 2 || len(d.Ref) <= d.Pos || !d.Ref[:2].Equal(ast.MustParseRef("input.target")) {
		return ""
	}
	if name, _ := d.Ref[2].Value.(ast.String); name == "pods" || name == "pods_omitted" {
		return "set spec.targets.pods: true in the agent's manifest, by which its document has the pods"
	}
	return ""
}

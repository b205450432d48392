package policy

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
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
		if e.Details != nil {
			if lines := e.Details.Lines(); len(lines) > 0 {
				message += " (" + strings.Join(trimmed(lines), " ") + ")"
			}
		}
		out = append(out, at(e.Location, message, cmp.Or(fixFor(e.Message), fixForRef(e.Details))))
	}
	return out
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

// fixFor is the fix for an OPA error that our own restrictions cause; "" for any other.
func fixFor(message string) string {
	name, ok := strings.CutPrefix(message, "undefined function ")
	if !ok {
		return ""
	}
	if why, off := disabledBuiltins()[name]; off {
		return why
	}
	return ""
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

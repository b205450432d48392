package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Mistake is one thing that is wrong with a set of policies, and how to mend it.
// File is relative to the policy folder; Line and Col count from 1, and are 0
// where the mistake is in no single place.
type Mistake struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Col     int    `json:"col,omitempty"`
	Message string `json:"message"`
	Fix     string `json:"fix,omitempty"`
}

// String is "file:line:col: message; fix".
func (m Mistake) String() string {
	var b strings.Builder
	if m.File != "" {
		b.WriteString(engine.FileName(m.File))
		if m.Line > 0 {
			fmt.Fprintf(&b, ":%d:%d", m.Line, m.Col)
		}
		b.WriteString(": ")
	}
	b.WriteString(m.Message)
	if m.Fix != "" {
		b.WriteString("; ")
		b.WriteString(m.Fix)
	}
	return b.String()
}

// Mistakes are all that is wrong with a set of policies.
type Mistakes []Mistake

// Error lists every mistake, one a line.
func (ms Mistakes) Error() string {
	lines := make([]string, len(ms))
	for i, m := range ms {
		lines[i] = m.String()
	}
	return strings.Join(lines, "\n")
}

// sorted orders the mistakes by place and drops repeated ones.
func (ms Mistakes) sorted() Mistakes {
	slices.SortStableFunc(ms, func(a, b Mistake) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, a.Col-b.Col, strings.Compare(a.Message, b.Message))
	})
	return slices.Compact(ms)
}

// err is nil where there are no mistakes.
func (ms Mistakes) err() error {
	if len(ms) == 0 {
		return nil
	}
	return ms.sorted()
}

func at(loc *ast.Location, message, fix string) Mistake {
	m := Mistake{Message: message, Fix: fix}
	if loc != nil {
		m.File, m.Line, m.Col = loc.File, loc.Row, loc.Col
	}
	return m
}

// fromOPA turns OPA's errors into mistakes.
func fromOPA(err error) Mistakes {
	var list ast.Errors
	if !errors.As(err, &list) {
		var one *ast.Error
		if !errors.As(err, &one) {
			return Mistakes{{Message: err.Error()}}
		}
		list = ast.Errors{one}
	}
	out := make(Mistakes, 0, len(list))
	for _, e := range list {
		message := e.Code + ": " + e.Message
		if e.Details != nil {
			if lines := e.Details.Lines(); len(lines) > 0 {
				message += " (" + strings.Join(trimmed(lines), " ") + ")"
			}
		}
		out = append(out, at(e.Location, message, fixFor(e.Message)))
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

// fixFor is the advice for OPA's errors that our own rules bring about.
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

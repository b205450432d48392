package policy

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/scanflow-k8s/scanflow/engine/policy/bounded"
)

const (
	maxValueBytes = 200 // of one value in a message
	maxProblems   = 20  // in one message
	// maxTermBytes and maxTraceBytes bound a value in a trace, and the trace, as text.
	maxTermBytes  = 16 << 10
	maxTraceBytes = 16 << 20
)

// formatValue formats a value of a policy for a message. The text is always bounded,
// because it may be far larger than the value in memory.
func formatValue(v ast.Value) string { return bounded.Show(v, maxValueBytes) }

// clip shortens a text of a policy for a message.
func clip(s string) string {
	if len(s) <= maxValueBytes {
		return s
	}
	return strings.ToValidUTF8(s[:maxValueBytes], "") + "..."
}

// joinClipped joins the problems of one value, of which there may be one for each key.
func joinClipped(wrong []string) string {
	if more := len(wrong) - maxProblems; more > 0 {
		return fmt.Sprintf("%s, and %d more", strings.Join(wrong[:maxProblems], ", "), more)
	}
	return strings.Join(wrong, ", ")
}

// clipEvent replaces the values in an event that are too large for a trace, and
// returns the approximate size of the event as text.
func clipEvent(e topdown.Event) (topdown.Event, int64) {
	expr, ok := e.Node.(*ast.Expr)
	if !ok {
		return e, maxValueBytes + int64(len(e.Message))
	}
	terms, ok := expr.Terms.([]*ast.Term)
	if !ok {
		return e, maxValueBytes
	}
	total := int64(maxValueBytes)
	for i, t := range terms {
		size, ok := bounded.Written(t.Value, maxTermBytes)
		if !ok {
			if e.Node == ast.Node(expr) {
				short := *expr
				terms = append([]*ast.Term{}, terms...)
				short.Terms = terms
				e.Node = &short
			}
			terms[i] = ast.StringTerm(formatValue(t.Value))
			size.Bytes = maxValueBytes
		}
		total += size.Bytes
	}
	return e, total
}

package policy

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/scanflow-k8s/scanflow/engine/policy/bounded"
)

const (
	mostShown = 200 // bytes of one value in a message
	mostWrong = 20  // mistakes in one message
	// mostTerm and mostTrace bound a trace, in bytes when it is written out.
	mostTerm  = 16 << 10
	mostTrace = 16 << 20
)

// show is a value that a policy gave, for a message. A value may be far larger as text
// than it is in memory, so that none is ever printed without a bound.
func show(v ast.Value) string { return bounded.Show(v, mostShown) }

// clip shortens what a policy said, for a message.
func clip(s string) string {
	if len(s) <= mostShown {
		return s
	}
	return strings.ToValidUTF8(s[:mostShown], "") + "..."
}

// clipped joins what is wrong with one value. There can be one thing for each of its keys.
func clipped(wrong []string) string {
	if more := len(wrong) - mostWrong; more > 0 {
		return fmt.Sprintf("%s, and %d more", strings.Join(wrong[:mostWrong], ", "), more)
	}
	return strings.Join(wrong, ", ")
}

// shorten replaces the values in an event that are too large to show, and says about how
// long the event is as text.
func shorten(e topdown.Event) (topdown.Event, int64) {
	expr, ok := e.Node.(*ast.Expr)
	if !ok {
		return e, mostShown + int64(len(e.Message))
	}
	terms, ok := expr.Terms.([]*ast.Term)
	if !ok {
		return e, mostShown
	}
	total := int64(mostShown)
	for i, t := range terms {
		size, ok := bounded.Written(t.Value, mostTerm)
		if !ok {
			if e.Node == ast.Node(expr) {
				short := *expr
				terms = append([]*ast.Term{}, terms...)
				short.Terms = terms
				e.Node = &short
			}
			terms[i] = ast.StringTerm(show(t.Value))
			size.Bytes = mostShown
		}
		total += size.Bytes
	}
	return e, total
}

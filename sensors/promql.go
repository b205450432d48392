package sensors

import (
	"fmt"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
)

// checkQuery returns the mistake in a PromQL expression with its position. It refuses
// expressions that can't return a number for each target.
func checkQuery(query string) []string {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		// Only the first error: the following ones are mostly a consequence of it.
		return []string{"query: " + err.Error()}
	}
	switch expr.Type() {
	case parser.ValueTypeString:
		return []string{"query: 1:1: is a text, not a number"}
	case parser.ValueTypeMatrix:
		return []string{fmt.Sprintf("query: 1:1: %s is a range vector; take rate() or avg_over_time() of it, or drop the range", expr)}
	}
	return nil
}

// queryWindow returns the longest span of samples that a query computes over: its largest
// range selector or subquery, with nested ones added up; 0 for an instant query.
func queryWindow(query string) time.Duration {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		return 0
	}
	var longest time.Duration
	parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
		var span time.Duration
		for _, n := range append(path[:len(path):len(path)], node) {
			switch n := n.(type) {
			case *parser.MatrixSelector:
				span += n.Range
			case *parser.SubqueryExpr:
				span += n.Range
			}
		}
		longest = max(longest, span)
		return nil
	})
	return longest
}

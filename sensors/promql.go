package sensors

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// checkQuery returns the mistake in a PromQL expression, with its place, and
// refuses what can't be a number for each target.
func checkQuery(query string) mistake.Mistakes {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		// The first only: what the parser finds after it is mostly of its making.
		return mistake.Mistakes{{Path: "query", Message: err.Error()}}
	}
	switch expr.Type() {
	case parser.ValueTypeString:
		return mistake.Mistakes{{Path: "query", Message: "1:1: is a text, not a number"}}
	case parser.ValueTypeMatrix:
		return mistake.Mistakes{{Path: "query", Message: fmt.Sprintf("1:1: %s is a range vector", expr), Fix: "take rate() or avg_over_time() of it, or drop the range"}}
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

// dropsLabel describes why the result of a query can't have a label: it is one number, or its
// outermost aggregation leaves the label out. It returns "" where the text does not tell.
func dropsLabel(query, label string) string {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		return ""
	}
	if expr.Type() == parser.ValueTypeScalar {
		return "names a label, and the query gives one number without labels"
	}
	for {
		inner, is := expr.(*parser.ParenExpr)
		if !is {
			break
		}
		expr = inner.Expr
	}
	a, is := expr.(*parser.AggregateExpr)
	switch {
	case !is || a.Op == parser.TOPK || a.Op == parser.BOTTOMK || a.Op == parser.LIMITK || a.Op == parser.LIMIT_RATIO || a.Op == parser.COUNT_VALUES:
		return ""
	case slices.Contains(a.Grouping, label) == a.Without:
		return fmt.Sprintf("the query's %s leaves the label %q out", a.Op, label)
	}
	return ""
}

// aggregationBy writes an aggregation that keeps a label. PromQL wants quotes around a name
// that is not one of Prometheus 2.
func aggregationBy(label string) string {
	if !model.LegacyValidation.IsValidLabelName(label) {
		label = strconv.Quote(label)
	}
	return "sum by (" + label + ") (...)"
}

package policy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// member is one rule that is evaluated: the `propose` of a strategy or the `deny` of
// a guard.
type member struct {
	Member
	path ast.Ref
	// remember is the rule that is evaluated with it; nil where the strategy has none.
	remember ast.Ref
	prepared
	failures failureTracker
}

// group is several members with one query, which shares intermediate results and
// costs less than a query for each. A query fails as a whole, so after a failure
// each member is evaluated on its own, to keep the answers of the others.
type group struct {
	revision *Revision
	members  []*member
	// apart is set where each member is evaluated by its own query. These are prepared once
	// for each member, where there would be one query for each selection of members.
	apart bool
	prepared
}

// cheaperApart reports whether so many of the members cost less by their own queries than all
// of them do by the group's. All members by their own queries cost about 1.5 times as much as
// by the group's (BenchmarkChangedStrategies).
func (g *group) cheaperApart(some int) bool {
	return 3*some <= 2*len(g.members) || some < len(g.members) && g.mustSplit()
}

// only returns a group of the members with these names, which are evaluated apart.
func (g *group) only(names []string) *group {
	out := &group{revision: g.revision, apart: true, members: make([]*member, 0, len(names))}
	for _, m := range g.members {
		if slices.Contains(names, m.Name) {
			out.members = append(out.members, m)
		}
	}
	return out
}

// prepared is a query that is prepared on first use.
type prepared struct {
	once  sync.Once
	query rego.PreparedEvalQuery
	err   error
}

func (p *prepared) prepare(ctx context.Context, r *Revision, body func() *ast.Term) (rego.PreparedEvalQuery, error) {
	p.once.Do(func() {
		p.query, p.err = rego.New(
			rego.Compiler(r.compiler),
			rego.Store(r.store),
			rego.Capabilities(r.compiler.Capabilities()),
			rego.ParsedQuery(ast.NewBody(ast.NewExpr(body()))),
			// Otherwise an error of a built-in makes a rule undefined, and its `not` true.
			rego.StrictBuiltinErrors(true),
			rego.GenerateJSON(func(t *ast.Term, _ *rego.EvalContext) (any, error) { return t.Value, nil }),
		).PrepareForEval(context.WithoutCancel(ctx))
	})
	return p.query, p.err
}

// evaluateEach evaluates all members and calls answer with the value or the error of each.
func (g *group) evaluateEach(ctx context.Context, now time.Time, input ast.Value, tracker *topdown.EvaluatedRuleTracker, answer func(i int, v ast.Value, err error)) {
	if !g.mustSplit() {
		answers, err := g.evaluateTogether(ctx, input, tracker)
		if err == nil {
			for i := range g.members {
				answer(i, answers.Elem(i).Value, nil)
			}
			return
		}
		if tracker != nil {
			*tracker = topdown.EvaluatedRuleTracker{}
		}
	}
	for i, m := range g.members {
		if err := cmp.Or(g.revision.opts.Quarantine.errorFor(g.revision.id, m.Member), m.failures.suspended(now)); err != nil {
			answer(i, nil, err)
			continue
		}
		v, err := m.evaluate(ctx, g.revision, input, tracker)
		m.failures.record(now, err)
		answer(i, v, err)
	}
}

// mustSplit reports whether the members must be evaluated one by one.
func (g *group) mustSplit() bool {
	if g.apart {
		return true
	}
	for _, m := range g.members {
		if m.failures.failing() || g.revision.opts.Quarantine.errorFor(g.revision.id, m.Member) != nil {
			return true
		}
	}
	return false
}

func (g *group) evaluateTogether(ctx context.Context, input ast.Value, tracker *topdown.EvaluatedRuleTracker) (*ast.Array, error) {
	query, err := g.prepare(ctx, g.revision, g.body)
	if err != nil {
		return nil, err
	}
	v, err := run(ctx, query, g.revision.opts.Deadline, input, tracker, g.revision.watchdog(input, g.members...))
	if err != nil {
		return nil, err
	}
	array, ok := v.(*ast.Array)
	if !ok || array.Len() != len(g.members) {
		return nil, errUndefined
	}
	return array, nil
}

// body returns the query for the answers of all members as one array.
func (g *group) body() *ast.Term {
	terms := make([]*ast.Term, len(g.members))
	for i, m := range g.members {
		terms[i] = m.body()
	}
	return ast.ArrayTerm(terms...)
}

// body returns the query for the answer of a member: the value of its rule, or, with a rule
// remember, an array of it and of an array that has the value of that, if it is defined.
func (m *member) body() *ast.Term {
	rule := ast.NewTerm(m.path)
	if m.remember == nil {
		return rule
	}
	value := ast.VarTerm("remembered")
	return ast.ArrayTerm(rule, ast.ArrayComprehensionTerm(value, ast.NewBody(ast.Equality.Expr(value, ast.NewTerm(m.remember)))))
}

// split returns the value of the rule and what is remembered, nil if nothing is.
func (m *member) split(answer ast.Value) (value, remembered ast.Value) {
	pair, is := answer.(*ast.Array)
	if m.remember == nil || !is || pair.Len() != 2 {
		return answer, nil
	}
	if list, is := pair.Elem(1).Value.(*ast.Array); is && list.Len() == 1 {
		remembered = list.Elem(0).Value
	}
	return pair.Elem(0).Value, remembered
}

func (m *member) evaluate(ctx context.Context, r *Revision, input ast.Value, tracker *topdown.EvaluatedRuleTracker) (ast.Value, error) {
	query, err := m.prepare(ctx, r, m.body)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", m.path, err)
	}
	return run(ctx, query, r.opts.Deadline, input, tracker, r.watchdog(input, m))
}

var errUndefined = errors.New("the answer is undefined")

// StoppedError is the error of an evaluation that reached a limit.
type StoppedError struct{ Why, Fix string }

// Error returns the limit and an advice.
func (e *StoppedError) Error() string { return e.Why + "; " + e.Fix }

// stoppedError returns the error of an evaluation that was cancelled at its deadline,
// or because of the heap.
func stoppedError(deadline time.Duration, overHeap bool) error {
	if overHeap {
		return &StoppedError{
			Why: fmt.Sprintf("was stopped: the heap of the process grew by more than %d MiB while it ran", heapGrowth>>20),
			Fix: "bound what it collects",
		}
	}
	return &StoppedError{Why: fmt.Sprintf("ran longer than %s and was stopped", deadline), Fix: "bound what it iterates over"}
}

// run evaluates a query. A timer cancels it at the deadline, because for a context
// with a deadline OPA starts a goroutine each time. If that does not stop the
// evaluation, for example in a slow built-in, the watchdog reports it.
func run(ctx context.Context, query rego.PreparedEvalQuery, deadline time.Duration, input ast.Value, tracker *topdown.EvaluatedRuleTracker, watchdog watchdog, more ...rego.EvalOption) (ast.Value, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	cancel := topdown.NewCancel()
	running := watchdog.start(deadline, cancel.Cancel)
	defer running.end()
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, cancel.Cancel)
		defer stop()
	}
	options := []rego.EvalOption{
		rego.EvalParsedInput(input),
		rego.EvalExternalCancel(cancel),
		rego.EvalMetrics(metrics.NoOp()),
	}
	options = append(options, more...)
	if tracker != nil {
		options = append(options, rego.EvalEvaluatedRuleTracker(tracker))
	}
	results, err := query.Eval(ctx, options...)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case topdown.IsCancel(err):
		return nil, stoppedError(deadline, running.overHeap())
	case err != nil:
		return nil, err
	case len(results) != 1 || len(results[0].Expressions) != 1:
		return nil, errUndefined
	}
	v, ok := results[0].Expressions[0].Value.(ast.Value)
	if !ok {
		return nil, errUndefined
	}
	return v, nil
}

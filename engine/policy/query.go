package policy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// member is one rule set that is asked: the proposals of a strategy, or the
// denials of a guard.
type member struct {
	Member
	path ast.Ref
	prepared
	trouble trouble
}

// group is several of them, asked together: one query shares what it has
// computed, and costs less than one query each. A query fails as a whole, so
// after a failure each is asked apart, to keep the good ones.
type group struct {
	revision *Revision
	members  []*member
	prepared
}

// prepared is a query that is made ready when it is first asked.
type prepared struct {
	once  sync.Once
	query rego.PreparedEvalQuery
	err   error
}

func (p *prepared) ready(ctx context.Context, r *Revision, body func() *ast.Term) (rego.PreparedEvalQuery, error) {
	p.once.Do(func() {
		p.query, p.err = rego.New(
			rego.Compiler(r.compiler),
			rego.Store(r.store),
			rego.Capabilities(r.compiler.Capabilities()),
			rego.ParsedQuery(ast.NewBody(ast.NewExpr(body()))),
			// An error of a built-in would make a rule undefined, and a `not` of it true.
			rego.StrictBuiltinErrors(true),
			rego.GenerateJSON(func(t *ast.Term, _ *rego.EvalContext) (any, error) { return t.Value, nil }),
		).PrepareForEval(context.WithoutCancel(ctx))
	})
	return p.query, p.err
}

// each asks all members and hands over each one's answer, or why there is none.
func (g *group) each(ctx context.Context, now time.Time, input ast.Value, tracker *topdown.EvaluatedRuleTracker, answer func(i int, v ast.Value, err error)) {
	if !g.apart() {
		answers, err := g.together(ctx, input, tracker)
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
		if err := cmp.Or(g.revision.opts.Quarantine.holds(g.revision.id, m.Member), m.trouble.benched(now)); err != nil {
			answer(i, nil, err)
			continue
		}
		v, err := m.alone(ctx, g.revision, input, tracker)
		m.trouble.note(now, err)
		answer(i, v, err)
	}
}

// apart reports whether a member must not be asked together with the others.
func (g *group) apart() bool {
	for _, m := range g.members {
		if m.trouble.any() || g.revision.opts.Quarantine.holds(g.revision.id, m.Member) != nil {
			return true
		}
	}
	return false
}

func (g *group) together(ctx context.Context, input ast.Value, tracker *topdown.EvaluatedRuleTracker) (*ast.Array, error) {
	query, err := g.ready(ctx, g.revision, g.body)
	if err != nil {
		return nil, err
	}
	v, err := run(ctx, query, g.revision.opts.Deadline, input, tracker, g.revision.late(input, g.members...))
	if err != nil {
		return nil, err
	}
	array, ok := v.(*ast.Array)
	if !ok || array.Len() != len(g.members) {
		return nil, errUndefined
	}
	return array, nil
}

// body asks for all members' answers as one array.
func (g *group) body() *ast.Term {
	terms := make([]*ast.Term, len(g.members))
	for i, m := range g.members {
		terms[i] = ast.NewTerm(m.path)
	}
	return ast.ArrayTerm(terms...)
}

func (m *member) body() *ast.Term { return ast.NewTerm(m.path) }

func (m *member) alone(ctx context.Context, r *Revision, input ast.Value, tracker *topdown.EvaluatedRuleTracker) (ast.Value, error) {
	query, err := m.ready(ctx, r, m.body)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", m.path, err)
	}
	return run(ctx, query, r.opts.Deadline, input, tracker, r.late(input, m))
}

var errUndefined = errors.New("the answer is undefined")

// StoppedError says that an evaluation reached a limit and was stopped.
type StoppedError struct{ Why, Fix string }

// Error names the limit and what to do.
func (e *StoppedError) Error() string { return e.Why + "; " + e.Fix }

// stopped is the error of an evaluation that was cancelled, by the heap where big.
func stopped(deadline time.Duration, big bool) error {
	if big {
		return &StoppedError{
			Why: fmt.Sprintf("was stopped: the heap of the process grew by more than %d MiB while it ran", heapGrowth>>20),
			Fix: "bound what it collects",
		}
	}
	return &StoppedError{Why: fmt.Sprintf("ran longer than %s and was stopped", deadline), Fix: "bound what it iterates over"}
}

// run evaluates a query. A timer that raises OPA's own flag stands in for a
// context with a deadline, for which OPA would start a goroutine each time. Where that
// does not end the evaluation, as in a built-in that runs on, late tells.
func run(ctx context.Context, query rego.PreparedEvalQuery, deadline time.Duration, input ast.Value, tracker *topdown.EvaluatedRuleTracker, late late, more ...rego.EvalOption) (ast.Value, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	cancel := topdown.NewCancel()
	running := late.follow(deadline, cancel.Cancel)
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
		return nil, stopped(deadline, running.big())
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

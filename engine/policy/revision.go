package policy

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

// Revision is one compiled, immutable set of policies. It is safe for concurrent
// use with different documents.
type Revision struct {
	id         string
	source     source.Source
	opts       Options
	modules    map[string]*ast.Module // as parsed
	compiler   *ast.Compiler
	store      storage.Store
	strategies map[string]*strategy
	proposals  map[*ast.Rule]*ast.Term // of the `propose` rules, as known has them
	guards     []guard                 // by name
	guardRules []guardRule
	warnings   mistake.Mistakes
	// unused are the warnings about policies and data without effect.
	unused  mistake.Mistakes
	queries queries
	inputs  inputBuilder
}

type guard struct {
	name  string
	pkg   ast.Ref
	from  string   // the origin of its source
	rules []string // those of clamp and deny that it has
}

var _ engine.Revision = (*Revision)(nil)

func newRevision(b *build) *Revision {
	r := &Revision{
		id: b.src.ID(), source: b.src, opts: b.opts, modules: b.modules, compiler: b.compiler, store: b.store,
		strategies: map[string]*strategy{}, proposals: map[*ast.Rule]*ast.Term{},
	}
	r.queries.revision = r
	return r
}

// ID returns a hash of the content: the first 12 hex digits of a SHA-256.
func (r *Revision) ID() string { return r.id }

// Source returns the source that the revision was compiled from.
func (r *Revision) Source() source.Source { return r.source }

// Strategies returns the names of the strategies, sorted.
func (r *Revision) Strategies() []string { return slices.Sorted(maps.Keys(r.strategies)) }

// Has reports whether there is a strategy of that name.
func (r *Revision) Has(strategy string) bool { return r.strategies[strategy] != nil }

// Guards returns the names of the guard packages without "scanflow.guards.", sorted.
func (r *Revision) Guards() []string {
	names := make([]string, len(r.guards))
	for i, g := range r.guards {
		names[i] = g.name
	}
	return names
}

// Warnings returns the findings that `scanflow check` reports and that are no reason
// to refuse the revision.
func (r *Revision) Warnings() []mistake.Mistake { return slices.Clone(r.warnings) }

// Evaluate evaluates the strategies on one document. It caches converted sections
// in doc.Sections, so a document must not be evaluated concurrently.
func (r *Revision) Evaluate(ctx context.Context, strategies []string, doc *engine.Document) engine.Evaluation {
	input, err := r.inputs.input(doc)
	if err != nil {
		return unreadableDocument(strategies, err)
	}
	return r.evaluate(ctx, strategies, doc, input)
}

// EvaluateSome evaluates some of the strategies as Evaluate does, each by a query of its own
// while these cost less than the one of all strategies.
func (r *Revision) EvaluateSome(ctx context.Context, strategies, some []string, doc *engine.Document) (engine.Evaluation, []string) {
	g, unknown := r.queries.group(strategies)
	if g == nil || !g.cheaperApart(len(some)) {
		return r.Evaluate(ctx, strategies, doc), strategies
	}
	input, err := r.inputs.input(doc)
	if err != nil {
		return unreadableDocument(some, err), some
	}
	return r.evaluateGroup(ctx, g.only(some), slices.DeleteFunc(slices.Clone(unknown), func(name string) bool { return !slices.Contains(some, name) }), doc, input), some
}

func (r *Revision) evaluate(ctx context.Context, strategies []string, doc *engine.Document, input ast.Value) engine.Evaluation {
	g, unknown := r.queries.group(strategies)
	return r.evaluateGroup(ctx, g, unknown, doc, input)
}

func (r *Revision) evaluateGroup(ctx context.Context, g *group, unknown []string, doc *engine.Document, input ast.Value) engine.Evaluation {
	var out engine.Evaluation
	for _, name := range unknown {
		out.Problems = append(out.Problems, engine.Problem{Strategy: name,
			Message: fmt.Sprintf("policies of revision %s have no strategy of this name; they have %s", r.id, quotedList(r.Strategies()))})
	}
	if g == nil {
		return out
	}
	var tracker *topdown.EvaluatedRuleTracker
	if !r.opts.NoRules {
		tracker = &topdown.EvaluatedRuleTracker{}
	}
	var failed []string
	g.evaluateEach(ctx, doc.Now, input, tracker, func(i int, answer ast.Value, err error) {
		name := g.members[i].Name
		if err != nil {
			failed = append(failed, name)
			out.Problems = append(out.Problems, engine.Problem{Strategy: name, Message: err.Error()})
			return
		}
		answer, remembered := g.members[i].split(answer)
		proposals, mistakes := readProposals(answer, name, doc)
		if remembered != nil {
			value, wrong := readRemembered(remembered)
			if mistakes = append(mistakes, wrong...); len(wrong) == 0 {
				if out.Remembered == nil {
					out.Remembered = map[string]any{}
				}
				out.Remembered[name] = value
			}
		}
		out.Proposals = append(out.Proposals, proposals...)
		if len(mistakes) > 0 {
			out.Problems = append(out.Problems, engine.Problem{Strategy: name, Message: strings.Join(mistakes, "; ")})
		}
	})
	out.Rules = firedRules(tracker)
	for _, name := range failed {
		delete(out.Rules, name)
	}
	return out
}

// firedRules returns the titles of the rules that fired, by strategy.
func firedRules(tracker *topdown.EvaluatedRuleTracker) map[string][]string {
	if tracker == nil || len(tracker.Labels) == 0 {
		return nil
	}
	out := map[string][]string{}
	for _, labels := range tracker.Labels {
		text, _ := labels[ruleLabel].(string)
		if strategy, title, ok := strings.Cut(text, "\n"); ok {
			out[strategy] = append(out[strategy], title)
		}
	}
	for _, titles := range out {
		slices.Sort(titles)
	}
	return out
}

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
)

// Revision is one compiled set of policies; it never changes. It is safe for
// concurrent use, for different documents.
type Revision struct {
	id         string
	source     Source
	opts       Options
	modules    map[string]*ast.Module // as parsed
	compiler   *ast.Compiler
	store      storage.Store
	strategies map[string]*strategy
	guards     []guard // by name
	guardRules []guardRule
	// guardParams are the params that each guard reads.
	guardParams map[string]*params
	warnings    mistake.Mistakes
	// idle are the warnings of what has no effect.
	idle    mistake.Mistakes
	queries queries
	parts   parts
}

type guard struct {
	name string
	pkg  ast.Ref
	from string // where it was read
}

var _ engine.Revision = (*Revision)(nil)

func newRevision(b *build) *Revision {
	r := &Revision{
		id: b.src.ID(), source: b.src, opts: b.opts, modules: b.modules, compiler: b.compiler, store: b.store,
		strategies: map[string]*strategy{}, guardParams: map[string]*params{},
	}
	r.queries.revision = r
	return r
}

// ID is a hash of the content: the first 12 hex digits of a SHA-256.
func (r *Revision) ID() string { return r.id }

// Source is what it was made of.
func (r *Revision) Source() Source { return r.source }

// Strategies are the names of the strategies, sorted.
func (r *Revision) Strategies() []string { return slices.Sorted(maps.Keys(r.strategies)) }

// Has tells whether there is a strategy of that name.
func (r *Revision) Has(strategy string) bool { return r.strategies[strategy] != nil }

// Guards are the names of the guard packages, sorted, without "scanflow.guards.".
func (r *Revision) Guards() []string {
	names := make([]string, len(r.guards))
	for i, g := range r.guards {
		names[i] = g.name
	}
	return names
}

// Warnings are what `scanflow check` should say, though it is no reason to refuse.
func (r *Revision) Warnings() []mistake.Mistake { return slices.Clone(r.warnings) }

// Evaluate asks the strategies for proposals on one document. It keeps the parts
// of the document that it parsed in doc.Sections, so one document must not be
// evaluated twice at a time.
func (r *Revision) Evaluate(ctx context.Context, strategies []string, doc *engine.Document) engine.Evaluation {
	input, err := r.parts.input(doc)
	if err != nil {
		return unread(strategies, err)
	}
	return r.evaluate(ctx, strategies, doc, input)
}

func (r *Revision) evaluate(ctx context.Context, strategies []string, doc *engine.Document, input ast.Value) engine.Evaluation {
	var out engine.Evaluation
	g, unknown := r.queries.group(strategies)
	for _, name := range unknown {
		out.Problems = append(out.Problems, engine.Problem{Strategy: name,
			Message: fmt.Sprintf("policies of revision %s have no strategy of this name; they have %s", r.id, signalNames(r.Strategies()))})
	}
	if g == nil {
		return out
	}
	var tracker *topdown.EvaluatedRuleTracker
	if !r.opts.NoRules {
		tracker = &topdown.EvaluatedRuleTracker{}
	}
	var failed []string
	g.each(ctx, doc.Now, input, tracker, func(i int, answer ast.Value, err error) {
		name := g.members[i].Name
		if err != nil {
			failed = append(failed, name)
			out.Problems = append(out.Problems, engine.Problem{Strategy: name, Message: err.Error()})
			return
		}
		proposals, mistakes := readProposals(answer, name, doc)
		out.Proposals = append(out.Proposals, proposals...)
		if len(mistakes) > 0 {
			out.Problems = append(out.Problems, engine.Problem{Strategy: name, Message: strings.Join(mistakes, "; ")})
		}
	})
	out.Rules = fired(tracker)
	for _, name := range failed {
		delete(out.Rules, name)
	}
	return out
}

// fired reads which titled rules the tracker saw, by strategy.
func fired(tracker *topdown.EvaluatedRuleTracker) map[string][]string {
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

package policy

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/policy/bounded"
)

// Review evaluates the guards that bind a proposal. Guards fail closed: an error in a
// guard is a denial. Where guards clamp the proposal, all of them judge the clamped one.
func (r *Revision) Review(ctx context.Context, doc *engine.Document, p engine.Proposal) engine.Review {
	b := r.binding(p)
	if len(b.guards) == 0 {
		return engine.Review{}
	}
	q := r.queries.guardsOf(b)
	denials, clamps := r.judge(ctx, doc, p, b, q.all)
	changed, with, more := applyClamps(p, clamps)
	if denials = append(denials, more...); len(changed) == 0 {
		return engine.Review{Denials: denials}
	}
	p.With = with
	denials, _ = r.judge(ctx, doc, p, b, q.denials)
	return engine.Review{Denials: append(denials, more...), Clamps: changed, With: with}
}

// judge evaluates a group of guard rules on one proposal.
func (r *Revision) judge(ctx context.Context, doc *engine.Document, p engine.Proposal, b binding, g *group) ([]engine.Denial, []clamp) {
	var out []engine.Denial
	var clamps []clamp
	deny := func(d engine.Denial) {
		if !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	input, err := r.inputs.withProposal(doc, p, b.unbound...)
	if err != nil {
		for _, name := range b.guards {
			deny(engine.Denial{Guard: name, Reason: err.Error()})
		}
		return out, nil
	}
	for _, rule := range b.rules {
		for _, d := range rule.signalDenials(doc, input) {
			deny(d)
		}
	}
	g.evaluateEach(ctx, doc.Now, input, nil, func(i int, answer ast.Value, err error) {
		name := g.members[i].Name
		switch {
		case err != nil:
			deny(engine.Denial{Guard: name, Reason: err.Error()})
		case lastPartIs(g.members[i].path, denyRule):
			for _, d := range readDenials(answer, name) {
				deny(d)
			}
		default:
			found, wrong := readClamps(answer, name)
			clamps = append(clamps, found...)
			for _, d := range wrong {
				deny(d)
			}
		}
	})
	return out, clamps
}

// guardQueries are the queries for the guards that bind a proposal.
type guardQueries struct{ all, denials *group }

// guardsOf returns the queries for a binding. There are few, as guards bind by agent and verb.
func (q *queries) guardsOf(b binding) *guardQueries {
	key := strings.Join(b.guards, "\n")
	if known, ok := q.guards.Load(key); ok {
		return known.(*guardQueries)
	}
	out := &guardQueries{all: &group{revision: q.revision}, denials: &group{revision: q.revision}}
	for _, g := range q.revision.guards {
		if !slices.Contains(b.guards, g.name) {
			continue
		}
		for _, rule := range g.rules {
			m := q.member(Member{KindGuard, g.name}, g.pkg, rule)
			out.all.members = append(out.all.members, m)
			if rule == denyRule {
				out.denials.members = append(out.denials.members, m)
			}
		}
	}
	actual, _ := q.guards.LoadOrStore(key, out)
	return actual.(*guardQueries)
}

// readDenials converts the answer of a guard. A reason that is not a string
// denies too.
func readDenials(answer ast.Value, guard string) []engine.Denial {
	if !bounded.Within(answer, MaxProposal) {
		return []engine.Denial{{Guard: guard, Reason: fmt.Sprintf("its reasons are larger than %d bytes when they are written out; give shorter ones", MaxProposal)}}
	}
	set, ok := answer.(ast.Set)
	if !ok {
		return []engine.Denial{{Guard: guard, Reason: fmt.Sprintf("deny is %s, not a set of reasons", ast.ValueName(answer))}}
	}
	var out []engine.Denial
	for _, t := range set.Slice() {
		reason, ok := t.Value.(ast.String)
		if !ok {
			reason = ast.String(fmt.Sprintf("deny holds %s, which is no string", formatValue(t.Value)))
		}
		out = append(out, engine.Denial{Guard: guard, Reason: string(reason)})
	}
	return out
}

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
	proposed := r.judge(ctx, doc, p, b, q.all, "")
	changed, with, unclamped := applyClamps(p, proposed.clamps)
	var out denialList
	if len(changed) == 0 {
		out.add(proposed.byDeny...)
		out.add(proposed.byClamp...)
		out.add(unclamped...)
		return engine.Review{Denials: out}
	}
	// A clamp that failed denies, whatever the other clamps make of the proposal.
	out.add(proposed.byClamp...)
	out.add(unclamped...)
	p.With = with
	out.add(r.judge(ctx, doc, p, b, q.denials, denyRule).byDeny...)
	return engine.Review{Denials: out, Clamps: changed, With: with}
}

// judgment is the answer of the guards to one proposal.
type judgment struct {
	// byDeny are the denials of the rules deny. byClamp are those of the rules clamp, which
	// failed, are malformed, or read a signal that is not ok.
	byDeny, byClamp denialList
	clamps          []clamp
}

// denialList has each denial once.
type denialList []engine.Denial

func (l *denialList) add(denials ...engine.Denial) {
	for _, d := range denials {
		if !slices.Contains(*l, d) {
			*l = append(*l, d)
		}
	}
}

// by returns the denials of the rules of a name.
func (j *judgment) by(rule string) *denialList {
	if rule == clampRule {
		return &j.byClamp
	}
	return &j.byDeny
}

// judge evaluates a group of guard rules on one proposal: those of a name, or all for "".
func (r *Revision) judge(ctx context.Context, doc *engine.Document, p engine.Proposal, b binding, g *group, only string) judgment {
	var out judgment
	input, err := r.inputs.withProposal(doc, p, b.unbound...)
	if err != nil {
		for _, name := range b.guards {
			out.byDeny.add(engine.Denial{Guard: name, Reason: err.Error()})
		}
		return out
	}
	for _, rule := range b.rules {
		if name := ruleName(rule.rule); only == "" || name == only {
			out.by(name).add(rule.signalDenials(doc, input)...)
		}
	}
	g.evaluateEach(ctx, doc.Now, input, nil, func(i int, answer ast.Value, err error) {
		m := g.members[i]
		rule := clampRule
		if lastPartIs(m.path, denyRule) {
			rule = denyRule
		}
		switch {
		case err != nil:
			out.by(rule).add(engine.Denial{Guard: m.Name, Reason: err.Error()})
		case rule == denyRule:
			out.byDeny.add(readDenials(answer, m.Name)...)
		default:
			found, wrong := readClamps(answer, m.Name)
			out.clamps = append(out.clamps, found...)
			out.byClamp.add(wrong...)
		}
	})
	return out
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

package policy

import (
	"context"
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/policy/bounded"
)

// Deny evaluates every guard on one proposal. Guards fail closed: an error in a
// guard is a denial.
func (r *Revision) Deny(ctx context.Context, doc *engine.Document, p engine.Proposal) []engine.Denial {
	if len(r.guards) == 0 {
		return nil
	}
	var out []engine.Denial
	input, err := r.inputs.withProposal(doc, p)
	if err != nil {
		for _, g := range r.guards {
			out = append(out, engine.Denial{Guard: g.name, Reason: err.Error()})
		}
		return out
	}
	for i := range r.guardRules {
		for _, d := range r.guardRules[i].signalDenials(doc, input) {
			if !slices.Contains(out, d) {
				out = append(out, d)
			}
		}
	}
	g := r.queries.guards()
	g.evaluateEach(ctx, doc.Now, input, nil, func(i int, answer ast.Value, err error) {
		name := g.members[i].Name
		if err != nil {
			out = append(out, engine.Denial{Guard: name, Reason: err.Error()})
			return
		}
		out = append(out, readDenials(answer, name)...)
	})
	return out
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

package policy

import (
	"context"
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Deny asks every guard of the policies about one proposal. What goes wrong in a
// guard is a denial.
func (r *Revision) Deny(ctx context.Context, doc *engine.Document, p engine.Proposal) []engine.Denial {
	if len(r.guards) == 0 {
		return nil
	}
	input := r.parts.withProposal(doc, p)
	var out []engine.Denial
	for i := range r.guardRules {
		for _, d := range r.guardRules[i].unready(doc, input) {
			if !slices.Contains(out, d) {
				out = append(out, d)
			}
		}
	}
	g := r.queries.guards()
	g.each(ctx, doc.Now, input, nil, func(i int, answer ast.Value, err error) {
		name := g.members[i].Name
		if err != nil {
			out = append(out, engine.Denial{Guard: name, Reason: err.Error()})
			return
		}
		out = append(out, readDenials(answer, name)...)
	})
	return out
}

// readDenials reads the set that a guard gave. A reason that is no string denies too.
func readDenials(answer ast.Value, guard string) []engine.Denial {
	set, ok := answer.(ast.Set)
	if !ok {
		return []engine.Denial{{Guard: guard, Reason: fmt.Sprintf("deny is %s, not a set of reasons", ast.ValueName(answer))}}
	}
	var out []engine.Denial
	for _, t := range set.Slice() {
		reason, ok := t.Value.(ast.String)
		if !ok {
			reason = ast.String(fmt.Sprintf("deny holds %s, which is no string", clip(t.String())))
		}
		out = append(out, engine.Denial{Guard: guard, Reason: string(reason)})
	}
	return out
}

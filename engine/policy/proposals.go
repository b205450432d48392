package policy

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/policy/bounded"
)

const (
	// MaxProposal bounds one proposal, in bytes of its text: its `with` is sent to
	// other systems, and the journal stores all of it.
	MaxProposal = 1 << 20
	// MaxAnswer bounds the proposals of one strategy on one document, in bytes of text.
	MaxAnswer = 8 << 20
)

// readProposals converts the answer of a strategy, in the order of the set. It drops
// malformed proposals and returns a message for each.
func readProposals(answer ast.Value, strategy string, doc *engine.Document) ([]engine.Proposal, []string) {
	set, ok := answer.(ast.Set)
	if !ok {
		return nil, []string{"propose is " + ast.ValueName(answer) + ", not a set of proposals"}
	}
	if set.Len() == 0 {
		return nil, nil
	}
	var out []engine.Proposal
	var mistakes []string
	left := int64(MaxAnswer)
	for i, t := range set.Slice() {
		size, ok := bounded.Written(t.Value, MaxProposal)
		if !ok {
			mistakes = append(mistakes, fmt.Sprintf("%s a proposal is larger than %d bytes when it is written out, parts that it holds several times counted each time; propose less", describeProposal(t.Value), MaxProposal))
			continue
		}
		if left -= size.Bytes; left < 0 {
			mistakes = append(mistakes, fmt.Sprintf("the proposals are larger than %d bytes together when they are written out, and %d of them are left out; propose less", MaxAnswer, set.Len()-i))
			break
		}
		p, wrong := readProposal(t, doc.Names)
		if len(wrong) > 0 {
			mistakes = append(mistakes, fmt.Sprintf("%s: %s", formatValue(t.Value), joinClipped(shownProblems(wrong))))
			continue
		}
		p.Agent, p.Target, p.Strategy = doc.Agent.String(), doc.Target, strategy
		out = append(out, p)
	}
	if more := len(mistakes) - maxProblems; more > 0 {
		mistakes = append(mistakes[:maxProblems], fmt.Sprintf("and %d more proposals are not of the right shape", more))
	}
	return out, mistakes
}

// unreadableDocument returns the evaluation of a document that can't be read.
func unreadableDocument(strategies []string, err error) engine.Evaluation {
	var out engine.Evaluation
	for _, name := range strategies {
		out.Problems = append(out.Problems, engine.Problem{Strategy: name, Message: err.Error()})
	}
	return out
}

// describeProposal returns the beginning of a message about a proposal that is too
// large to show.
func describeProposal(v ast.Value) string {
	if obj, ok := v.(ast.Object); ok {
		if t := obj.Get(ast.InternedTerm("reason")); t != nil {
			if reason, ok := t.Value.(ast.String); ok {
				return fmt.Sprintf("reason %q:", clip(string(reason)))
			}
		}
	}
	return ast.ValueName(v) + ":"
}

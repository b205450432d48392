package policy

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
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
		p, wrong := readProposal(t.Value, doc)
		if len(wrong) > 0 {
			mistakes = append(mistakes, fmt.Sprintf("%s: %s", formatValue(t.Value), joinClipped(wrong)))
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

// proposalReader collects the problems of one proposal.
type proposalReader struct{ problems []string }

func (s *proposalReader) errorf(format string, args ...any) {
	s.problems = append(s.problems, fmt.Sprintf(format, args...))
}

func readProposal(v ast.Value, doc *engine.Document) (engine.Proposal, []string) {
	var p engine.Proposal
	var s proposalReader
	obj, ok := v.(ast.Object)
	if !ok {
		s.errorf("a proposal must be an object, not %s", ast.ValueName(v))
		return p, s.problems
	}
	seen := map[string]bool{}
	obj.Foreach(func(k, t *ast.Term) {
		key, ok := k.Value.(ast.String)
		if !ok {
			s.errorf("key %s is not a string", formatValue(k.Value))
			return
		}
		seen[string(key)] = true
		switch key {
		case "primitive":
			p.Primitive = s.text(key, t.Value)
		case "reason":
			p.Reason = s.text(key, t.Value)
		case "priority":
			p.Priority = s.integer(key, t.Value)
		case "with":
			if with, ok := s.json("with", t.Value).(map[string]any); ok {
				p.With = with
			} else if _, isObject := t.Value.(ast.Object); !isObject {
				s.errorf("with must be an object, not %s", ast.ValueName(t.Value))
			}
		case "because":
			p.Because = s.because(t.Value, doc)
		case "marks":
			p.Marks = s.marks(t.Value)
		case "note":
			p.Note = s.json("note", t.Value)
		default:
			s.errorf("unknown key %q", clip(string(key)))
		}
	})
	for _, key := range []string{"primitive", "reason", "because"} {
		if !seen[key] {
			s.errorf("%s is missing", key)
		}
	}
	return p, s.problems
}

func (s *proposalReader) text(key ast.String, v ast.Value) string {
	text, ok := v.(ast.String)
	switch {
	case !ok:
		s.errorf("%s must be a string, not %s", string(key), ast.ValueName(v))
	case text == "":
		s.errorf("%s is empty", string(key))
	}
	return string(text)
}

func (s *proposalReader) integer(key ast.String, v ast.Value) int {
	n, ok := v.(ast.Number)
	if !ok {
		s.errorf("%s must be a whole number, not %s", string(key), ast.ValueName(v))
		return 0
	}
	i, ok := n.Int()
	if !ok {
		s.errorf("%s must be a whole number, not %s", string(key), clip(string(n)))
	}
	return i
}

func (s *proposalReader) because(v ast.Value, doc *engine.Document) []engine.Evidence {
	array, ok := v.(*ast.Array)
	if !ok {
		s.errorf("because must be an array of signals, not %s", ast.ValueName(v))
		return nil
	}
	out := make([]engine.Evidence, 0, array.Len())
	array.Foreach(func(t *ast.Term) {
		name, ok := t.Value.(ast.String)
		if !ok {
			s.errorf("because holds %s, which is no string", formatValue(t.Value))
			return
		}
		e, err := parseEvidence(string(name))
		switch {
		case err != nil:
			s.errorf("because: %s", clip(err.Error()))
		case !slices.Contains(doc.Names, e.Signal):
			s.errorf("because names signal %q, and this agent has no such sensor", clip(e.Signal))
		default:
			out = append(out, e)
		}
	})
	return out
}

// marks reads the names of the marks that a proposal sets.
func (s *proposalReader) marks(v ast.Value) []string {
	array, ok := v.(*ast.Array)
	if !ok {
		s.errorf("marks must be an array of names, not %s", ast.ValueName(v))
		return nil
	}
	var out []string
	array.Foreach(func(t *ast.Term) {
		name, ok := t.Value.(ast.String)
		if !ok {
			s.errorf("marks holds %s, which is no string", formatValue(t.Value))
			return
		}
		out = append(out, string(name))
	})
	return out
}

// json converts a value to the types that jsonvalue.Unmarshal produces.
func (s *proposalReader) json(at string, v ast.Value) any {
	switch v := v.(type) {
	case ast.Null:
		return nil
	case ast.Boolean:
		return bool(v)
	case ast.String:
		return string(v)
	case ast.Number:
		if _, ok := v.Float64(); !ok {
			s.errorf("%s: %s is too large a number", clip(at), clip(string(v)))
		}
		return jsonvalue.Exact(json.Number(v))
	case *ast.Array:
		out := make([]any, 0, v.Len())
		v.Foreach(func(t *ast.Term) { out = append(out, s.json(fmt.Sprintf("%s[%d]", at, len(out)), t.Value)) })
		return out
	case ast.Set:
		out := make([]any, 0, v.Len())
		for _, t := range v.Slice() {
			out = append(out, s.json(fmt.Sprintf("%s[%d]", at, len(out)), t.Value))
		}
		return out
	case ast.Object:
		out := make(map[string]any, v.Len())
		v.Foreach(func(k, t *ast.Term) {
			key, ok := k.Value.(ast.String)
			if !ok {
				s.errorf("%s: key %s is not a string", clip(at), formatValue(k.Value))
				return
			}
			out[string(key)] = s.json(at+"."+string(key), t.Value)
		})
		return out
	}
	s.errorf("%s: %s is no JSON value", clip(at), ast.ValueName(v))
	return nil
}

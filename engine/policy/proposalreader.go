package policy

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
	"github.com/scanflow-k8s/scanflow/engine/policy/spelling"
)

// proposalReader reads one proposal and collects its problems. It reads what a strategy
// proposes, and before that what the text of a rule tells about it: there, computed values
// are as in known, and no problem is reported that depends on one.
type proposalReader struct {
	// signals are the sensors of the agent; not checked if anyAgent.
	signals  []string
	anyAgent bool
	problems []proposalProblem
}

// proposalProblem is a problem of a proposal. at is nil for a value that was computed.
type proposalProblem struct {
	at        *ast.Location
	text, fix string
	// near is the name that was probably meant, "" if none is similar.
	near string
	// signal is the signal that the agent does not have, and another agent may have; else "".
	signal string
}

// shownProblems returns the problems as texts, without place.
func shownProblems(problems []proposalProblem) []string {
	var out []string
	for _, p := range problems {
		text := p.text
		if p.near != "" {
			text += " (did you mean " + p.near + "?)"
		}
		out = append(out, text)
	}
	return out
}

func (s *proposalReader) errorf(at *ast.Location, format string, args ...any) *proposalProblem {
	s.problems = append(s.problems, proposalProblem{at: at, text: fmt.Sprintf(format, args...)})
	return &s.problems[len(s.problems)-1]
}

// proposalKeys are the keys of a proposal.
var proposalKeys = []string{"primitive", "with", "priority", "reason", "because", "note", "marks"}

// otherWords are words that are not spelt like the key that is meant.
var otherWords = map[string]string{
	"verb": "primitive", "action": "primitive", "params": "with", "parameters": "with", "args": "with", "arguments": "with",
	"why": "reason", "message": "reason", "signals": "because", "evidence": "because", "weight": "priority", "mark": "marks",
}

// requiredKeys have the fix for a proposal without them.
var requiredKeys = []struct{ key, fix string }{
	{"primitive", "add the verb, such as \"scale\""},
	{"reason", "add a short key, such as \"load_above_capacity\""},
	{"because", "add the names of the signals that it relies on, [] if it rests on none"},
}

// readProposal reads a proposal of an agent with these signals.
func readProposal(t *ast.Term, signals []string) (engine.Proposal, []proposalProblem) {
	s := proposalReader{signals: signals}
	return s.read(t), s.problems
}

func (s *proposalReader) read(t *ast.Term) engine.Proposal {
	var p engine.Proposal
	obj, ok := t.Value.(ast.Object)
	if !ok {
		s.errorf(t.Location, "a proposal must be an object, not %s", ast.ValueName(t.Value))
		return p
	}
	seen := map[string]bool{}
	obj.Foreach(func(k, t *ast.Term) {
		key, ok := k.Value.(ast.String)
		if _, is := computed(k.Value); is {
			return
		}
		if !ok {
			s.errorf(k.Location, "key %s is not a string", formatValue(k.Value))
			return
		}
		seen[string(key)] = true
		switch key {
		case "primitive":
			p.Primitive = s.text(key, t)
		case "reason":
			p.Reason = s.text(key, t)
		case "priority":
			p.Priority = s.integer(key, t)
		case "with":
			p.With = s.with(t)
		case "because":
			p.Because = s.because(t)
		case "marks":
			p.Marks = s.marks(t)
		case "note":
			p.Note = s.json("note", t)
		default:
			wrong := s.errorf(k.Location, "unknown key %q", clip(string(key)))
			if wrong.near = otherWords[string(key)]; wrong.near == "" {
				wrong.near = spelling.Nearest(string(key), proposalKeys)
			}
			wrong.fix = "the keys are " + quotedList(proposalKeys)
		}
	})
	for _, required := range requiredKeys {
		if !seen[required.key] && !isOpen(obj) {
			s.errorf(t.Location, "%s is missing", required.key).fix = required.fix
		}
	}
	return p
}

// mistyped reports a value that is not of the type that a key has. It returns true where
// nothing more can be said of the value: it is of another type, or computed.
func (s *proposalReader) mistyped(key string, t *ast.Term, want, words string) bool {
	is := ast.ValueName(t.Value)
	if typ, computed := computed(t.Value); computed {
		if typ == "" || typ == want {
			return true
		}
		is = typ
	} else if jsonType(t.Value) == want {
		return false
	}
	s.errorf(t.Location, "%s must be %s, not %s", key, words, is)
	return true
}

func (s *proposalReader) text(key ast.String, t *ast.Term) string {
	if s.mistyped(string(key), t, "string", "a string") {
		return ""
	}
	text := t.Value.(ast.String)
	if text == "" {
		s.errorf(t.Location, "%s is empty", string(key))
	}
	return string(text)
}

func (s *proposalReader) integer(key ast.String, t *ast.Term) int {
	if s.mistyped(string(key), t, "number", "a whole number") {
		return 0
	}
	n := t.Value.(ast.Number)
	i, ok := n.Int()
	if !ok {
		s.errorf(t.Location, "%s must be a whole number, not %s", string(key), clip(string(n)))
	}
	return i
}

func (s *proposalReader) with(t *ast.Term) map[string]any {
	if s.mistyped("with", t, "object", "an object") {
		return nil
	}
	with, _ := s.json("with", t).(map[string]any)
	return with
}

func (s *proposalReader) because(t *ast.Term) []engine.Evidence {
	if typ, is := computed(t.Value); is && (typ == "" || typ == "array") {
		s.errorf(t.Location, "because must be a literal array of signal names").fix = becauseFix + ", or [] if it rests on none"
		return nil
	}
	if s.mistyped("because", t, "array", "an array of signals") {
		return nil
	}
	array := t.Value.(*ast.Array)
	out := make([]engine.Evidence, 0, array.Len())
	array.Foreach(func(t *ast.Term) {
		name, ok := t.Value.(ast.String)
		if !ok {
			s.errorf(t.Location, "because holds %s, not a signal's name", s.shown(t)).fix = becauseFix
			return
		}
		e, err := parseEvidence(string(name))
		switch {
		case err != nil:
			s.errorf(t.Location, "because: %s", clip(err.Error()))
		case !s.anyAgent && !slices.Contains(s.signals, e.Signal):
			wrong := s.errorf(t.Location, "because names signal %q, and this agent has no such sensor", clip(e.Signal))
			wrong.signal, wrong.near = e.Signal, spelling.Nearest(e.Signal, s.signals)
			if wrong.fix = "its sensors are " + quotedList(s.signals); len(s.signals) == 0 {
				wrong.fix = "it has no sensors: add it to spec.sensors, or leave it out here"
			}
		default:
			out = append(out, e)
		}
	})
	return out
}

const becauseFix = `write the names out, as ["load", "ready:empty"]`

// shown returns a value for a message; one that is computed as it is written.
func (s *proposalReader) shown(t *ast.Term) string {
	if _, is := computed(t.Value); !is {
		return formatValue(t.Value)
	}
	if t.Location != nil && len(t.Location.Text) > 0 {
		return clip(string(t.Location.Text))
	}
	return "a computed value"
}

// marks reads the names of the marks that a proposal sets.
func (s *proposalReader) marks(t *ast.Term) []string {
	if s.mistyped("marks", t, "array", "an array of names") {
		return nil
	}
	var out []string
	t.Value.(*ast.Array).Foreach(func(t *ast.Term) {
		name, ok := t.Value.(ast.String)
		if typ, is := computed(t.Value); is && (typ == "" || typ == "string") {
			return
		}
		if !ok {
			s.errorf(t.Location, "marks holds %s, which is no string", s.shown(t))
			return
		}
		out = append(out, string(name))
	})
	return out
}

// json converts a value to the types that jsonvalue.Unmarshal produces.
func (s *proposalReader) json(at string, t *ast.Term) any {
	switch v := t.Value.(type) {
	case ast.Null:
		return nil
	case ast.Boolean:
		return bool(v)
	case ast.String:
		return string(v)
	case ast.Number:
		if _, ok := v.Float64(); !ok {
			s.errorf(t.Location, "%s: %s is too large a number", clip(at), clip(string(v)))
		}
		return jsonvalue.Exact(json.Number(v))
	case *ast.Array:
		out := make([]any, 0, v.Len())
		v.Foreach(func(t *ast.Term) { out = append(out, s.json(fmt.Sprintf("%s[%d]", at, len(out)), t)) })
		return out
	case ast.Set:
		out := make([]any, 0, v.Len())
		for _, t := range v.Slice() {
			out = append(out, s.json(fmt.Sprintf("%s[%d]", at, len(out)), t))
		}
		return out
	case ast.Object:
		out := make(map[string]any, v.Len())
		v.Foreach(func(k, t *ast.Term) {
			key, ok := k.Value.(ast.String)
			switch _, is := computed(k.Value); {
			case is:
			case !ok:
				s.errorf(k.Location, "%s: key %s is not a string", clip(at), formatValue(k.Value))
			default:
				out[string(key)] = s.json(at+"."+string(key), t)
			}
		})
		return out
	}
	if _, is := computed(t.Value); is {
		return nil
	}
	s.errorf(t.Location, "%s: %s is no JSON value", clip(at), ast.ValueName(t.Value))
	return nil
}

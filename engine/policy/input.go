package policy

import (
	"encoding/json"
	"reflect"
	"strconv"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/policy/bounded"
)

// The keys of a document. Terms are never changed, so all documents share them.
var (
	keyAgent   = ast.StringTerm("agent")
	keyNow     = ast.StringTerm("now_ns")
	keyTrigger = ast.StringTerm("trigger")
	keyTarget  = ast.StringTerm("target")
	keySignals = ast.StringTerm("signals")
	keyParams  = ast.StringTerm("params")
	keyMemory  = ast.StringTerm("memory")
	keyClaims  = ast.StringTerm("claims")

	keyState  = ast.StringTerm("state")
	keyValue  = ast.StringTerm("value")
	keyLast   = ast.StringTerm("last")
	keyAge    = ast.StringTerm("age_ns")
	keyWindow = ast.StringTerm("window")
	keySince  = ast.StringTerm("since_ns")

	keyProposal = ast.StringTerm("proposal")

	stateOK    = ast.StringTerm(string(engine.OK))
	stateEmpty = ast.StringTerm(string(engine.Empty))
)

// parts parses what many documents have in common, once for all of them.
type parts struct {
	mu     sync.Mutex
	params map[uintptr]paramsPart
}

// paramsPart holds on to the map, so that its address is not used again.
type paramsPart struct {
	from map[string]any
	term *ast.Term
}

// input is doc.Input() as OPA wants it, with what did not change reused. The error names
// the part of the document that holds what OPA can't compute with.
func (p *parts) input(doc *engine.Document) (v ast.Value, err error) {
	defer recoverUnreadable(doc, &err)
	return ast.NewObject(p.items(doc)...), nil
}

// withProposal is the input of a guard.
func (p *parts) withProposal(doc *engine.Document, proposal engine.Proposal) (v ast.Value, err error) {
	defer recoverUnreadable(doc, &err)
	return ast.NewObject(append(p.items(doc), [2]*ast.Term{keyProposal, proposalTerm(proposal)})...), nil
}

// recoverUnreadable turns what term panics with into an error. What was parsed of the
// document is dropped, as it may be half done.
func recoverUnreadable(doc *engine.Document, err *error) {
	switch r := recover().(type) {
	case nil:
	case *unreadable:
		doc.Sections = nil
		*err = r
	default:
		panic(r)
	}
}

func (p *parts) items(doc *engine.Document) [][2]*ast.Term {
	s, ok := doc.Sections.(*sections)
	if !ok {
		s = &sections{}
		doc.Sections = s
	}
	s.refresh(doc, p)
	items := make([][2]*ast.Term, 0, 9)
	return append(items,
		[2]*ast.Term{keyAgent, s.agent.term},
		[2]*ast.Term{keyNow, number(doc.Now.UnixNano())},
		[2]*ast.Term{keyTrigger, s.trigger.term},
		[2]*ast.Term{keyTarget, s.targetTerm},
		[2]*ast.Term{keySignals, s.signals(doc)},
		[2]*ast.Term{keyParams, s.paramsTerm},
		[2]*ast.Term{keyMemory, s.memoryTerm},
		[2]*ast.Term{keyClaims, s.claimsTerm},
	)
}

func (p *parts) paramsTerm(params map[string]any) *ast.Term {
	if params == nil {
		return term("params", map[string]any{})
	}
	key := reflect.ValueOf(params).Pointer()
	p.mu.Lock()
	defer p.mu.Unlock()
	if known, ok := p.params[key]; ok {
		return known.term
	}
	if p.params == nil || len(p.params) >= 256 {
		p.params = map[uintptr]paramsPart{}
	}
	t := term("params", params)
	p.params[key] = paramsPart{from: params, term: t}
	return t
}

func (s *sections) signals(doc *engine.Document) *ast.Term {
	items := make([][2]*ast.Term, len(doc.Names))
	for i := range doc.Names {
		items[i] = [2]*ast.Term{s.names[i], s.signal(i, &doc.Signals[i], doc.Now)}
	}
	return ast.ObjectTerm(items...)
}

// signal does as Signal.Input does.
func (s *sections) signal(i int, sig *engine.Signal, now time.Time) *ast.Term {
	var room [5][2]*ast.Term
	items := append(room[:0],
		[2]*ast.Term{keyState, stateTerm(sig.State)},
		[2]*ast.Term{keyWindow, s.window(i, sig.Window)},
	)
	if sig.State == engine.OK {
		items = append(items, [2]*ast.Term{keyValue, s.value(i, sig.Value)})
	} else if sig.Last != nil {
		items = append(items, [2]*ast.Term{keyLast, s.value(i, sig.Last)})
	}
	if !sig.At.IsZero() {
		items = append(items, [2]*ast.Term{keyAge, number(sig.Age(now).Nanoseconds())})
	}
	if !sig.Since.IsZero() {
		items = append(items, [2]*ast.Term{keySince, number(sig.Since.UnixNano())})
	}
	return ast.ObjectTerm(items...)
}

func (s *sections) value(i int, v any) *ast.Term {
	p := &s.values[i]
	if p.valueTerm == nil || !sameJSON(p.value, v) {
		p.value, p.valueTerm = v, term("signals."+string(s.names[i].Value.(ast.String)), v)
	}
	return p.valueTerm
}

func (s *sections) window(i int, d time.Duration) *ast.Term {
	p := &s.values[i]
	if p.windowTerm == nil || p.window != d {
		p.window, p.windowTerm = d, number(d.Nanoseconds())
	}
	return p.windowTerm
}

func stateTerm(state engine.State) *ast.Term {
	switch state {
	case engine.OK:
		return stateOK
	case engine.Empty:
		return stateEmpty
	}
	return ast.StringTerm(string(state))
}

func number(n int64) *ast.Term { return ast.NumberTerm(json.Number(strconv.FormatInt(n, 10))) }

// unreadable is a part of a document that can't be made a value of OPA's.
type unreadable struct {
	part string
	err  error
}

// Error names the part.
func (u *unreadable) Error() string { return "the document can't be read: " + u.part + u.err.Error() }

// Unwrap gives the cause.
func (u *unreadable) Unwrap() error { return u.err }

// term parses JSON values. It panics with *unreadable where that fails, for
// recoverUnreadable to catch: a value of a sensor or an event may be what a peer made up.
func term(part string, v any) *ast.Term {
	if err := bounded.CheckValue(v); err != nil {
		panic(&unreadable{part, err})
	}
	value, err := ast.InterfaceToValue(v)
	if err != nil {
		panic(&unreadable{part + ": ", err})
	}
	return ast.NewTerm(value)
}

func proposalTerm(p engine.Proposal) *ast.Term {
	with := p.With
	if with == nil {
		with = map[string]any{}
	}
	because := make([]any, len(p.Because))
	for i, e := range p.Because {
		because[i] = e.String()
	}
	return term("proposal", map[string]any{
		"primitive": p.Primitive, "with": with, "priority": p.Priority, "reason": p.Reason,
		"because": because, "strategy": p.Strategy, "agent": p.Agent,
	})
}

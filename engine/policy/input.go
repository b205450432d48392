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

// The keys of a document. Terms are immutable, so all documents share them.
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

	keyMissing   = ast.StringTerm("missing")
	keySustained = ast.StringTerm("sustained")

	keyProposal = ast.StringTerm("proposal")

	stateOK    = ast.StringTerm(string(engine.OK))
	stateEmpty = ast.StringTerm(string(engine.Empty))
)

// inputBuilder builds the input of OPA from documents. It caches the params,
// which many documents share.
type inputBuilder struct {
	mu     sync.Mutex
	params map[uintptr]cachedParams
}

// cachedParams keeps a reference to the map, so that its address is not reused.
type cachedParams struct {
	from map[string]any
	term *ast.Term
}

// input returns doc.Input() as an OPA value and reuses the terms of sections that
// did not change. The error names the part of the document that OPA can't represent.
func (p *inputBuilder) input(doc *engine.Document) (v ast.Value, err error) {
	defer recoverUnreadable(doc, &err)
	return ast.NewObject(p.items(doc)...), nil
}

// withProposal returns the input of a guard. unbound are the places of its rules that don't
// bind the proposal.
func (p *inputBuilder) withProposal(doc *engine.Document, proposal engine.Proposal, unbound ...string) (v ast.Value, err error) {
	defer recoverUnreadable(doc, &err)
	items := append(p.items(doc), [2]*ast.Term{keyProposal, proposalTerm(proposal)})
	if len(unbound) > 0 {
		items = append(items, unboundRules(unbound))
	}
	return ast.NewObject(items...), nil
}

// recoverUnreadable turns the panic of term into an error. It drops the cached
// sections of the document, which may be incomplete.
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

func (p *inputBuilder) items(doc *engine.Document) [][2]*ast.Term {
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

func (p *inputBuilder) paramsTerm(params map[string]any) *ast.Term {
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
		p.params = map[uintptr]cachedParams{}
	}
	t := term("params", params)
	p.params[key] = cachedParams{from: params, term: t}
	return t
}

func (s *sections) signals(doc *engine.Document) *ast.Term {
	items := make([][2]*ast.Term, len(doc.Names))
	for i := range doc.Names {
		items[i] = [2]*ast.Term{s.names[i], s.signal(i, &doc.Signals[i], doc.Now)}
	}
	return ast.ObjectTerm(items...)
}

// signal returns the term of Signal.Input.
func (s *sections) signal(i int, sig *engine.Signal, now time.Time) *ast.Term {
	var buf [7][2]*ast.Term
	items := append(buf[:0],
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
	if sig.State != engine.OK && len(sig.Missing) > 0 {
		items = append(items, [2]*ast.Term{keyMissing, s.part(i, "missing", sig.MissingInput())})
	}
	if sig.State == engine.OK && sig.Sustained != nil {
		items = append(items, [2]*ast.Term{keySustained, s.part(i, "sustained", sig.Sustained.Input())})
	}
	return ast.ObjectTerm(items...)
}

// part returns the term of a part of a signal that is not cached.
func (s *sections) part(i int, name string, v any) *ast.Term {
	return term("signals."+string(s.names[i].Value.(ast.String))+"."+name, v)
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

// unreadable is the error for a part of a document that OPA can't represent.
type unreadable struct {
	part string
	err  error
}

// Error returns the part with the cause.
func (u *unreadable) Error() string { return "the document can't be read: " + u.part + u.err.Error() }

// Unwrap returns the cause.
func (u *unreadable) Unwrap() error { return u.err }

// term converts a JSON value. It panics with *unreadable if that fails, as it
// may: values of sensors and events are foreign input. recoverUnreadable catches
// the panic.
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

package policy

import (
	"maps"
	"math"
	"reflect"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine"
)

// sections caches the converted parts of one target's document, with the values
// that they were converted from. It is stored in Document.Sections. Signals are not
// cached, because the age in each changes with every firing and the terms of a large
// fleet would take more memory than they save time. Their values are.
type sections struct {
	agent   comparableSection[engine.AgentInfo]
	trigger comparableSection[engine.TriggerInfo]

	params     map[string]any
	paramsTerm *ast.Term

	target     engine.Target
	targetTerm *ast.Term
	memory     engine.Memory
	memoryTerm *ast.Term
	claims     []engine.Claim
	claimsTerm *ast.Term

	names  []*ast.Term
	values []signalTerms
}

// comparableSection is a section of one comparable struct.
type comparableSection[T comparable] struct {
	present bool // whether the document had it
	value   T
	term    *ast.Term
}

// signalTerms caches the parts of a signal that rarely change.
type signalTerms struct {
	value      any
	valueTerm  *ast.Term
	window     time.Duration
	windowTerm *ast.Term
}

// refresh converts the sections that have changed. Document.Input defines the content
// of each.
func (s *sections) refresh(doc *engine.Document, p *inputBuilder) {
	if headerChanged(&s.agent, doc.Agent) {
		s.agent.set("agent", doc.Agent, (&engine.Document{Agent: doc.Agent}).Input()["agent"])
	}
	if headerChanged(&s.trigger, doc.Trigger) {
		s.trigger.set("trigger", doc.Trigger, (&engine.Document{Trigger: doc.Trigger}).Input()["trigger"])
	}
	if s.paramsTerm == nil || reflect.ValueOf(doc.Params).Pointer() != reflect.ValueOf(s.params).Pointer() {
		s.params, s.paramsTerm = doc.Params, p.paramsTerm(doc.Params)
	}
	if s.targetTerm == nil || !sameTarget(&s.target, &doc.Target) {
		s.target = cloneTarget(doc.Target)
		s.targetTerm = term("target", doc.Target.Input())
	}
	if s.memoryTerm == nil || !sameMemory(s.memory, doc.Memory) {
		s.memory = cloneMemory(doc.Memory)
		s.memoryTerm = term("memory", (&engine.Document{Memory: doc.Memory}).Input()["memory"])
	}
	if s.claimsTerm == nil || !slices.Equal(s.claims, doc.Claims) {
		s.claims = slices.Clone(doc.Claims)
		s.claimsTerm = term("claims", (&engine.Document{Claims: doc.Claims}).Input()["claims"])
	}
	if !slices.EqualFunc(s.names, doc.Names, func(t *ast.Term, name string) bool { return string(t.Value.(ast.String)) == name }) {
		s.names = make([]*ast.Term, len(doc.Names))
		for i, name := range doc.Names {
			s.names[i] = ast.StringTerm(name)
		}
		s.values = make([]signalTerms, len(doc.Names))
	}
}

func headerChanged[T comparable](h *comparableSection[T], now *T) bool {
	return h.term == nil || h.present != (now != nil) || now != nil && *now != h.value
}

func (h *comparableSection[T]) set(part string, from *T, value any) {
	h.present, h.term = from != nil, term(part, value)
	if from != nil {
		h.value = *from
	}
}

func sameTarget(a, b *engine.Target) bool {
	return a.APIVersion == b.APIVersion && a.Kind == b.Kind && a.Namespace == b.Namespace && a.Name == b.Name &&
		a.Model == b.Model && maps.Equal(a.Labels, b.Labels) &&
		(a.Replicas == nil) == (b.Replicas == nil) && (a.Replicas == nil || *a.Replicas == *b.Replicas) &&
		(a.Placement == nil) == (b.Placement == nil) && slices.Equal(a.Placement, b.Placement) &&
		(a.Pods == nil) == (b.Pods == nil) && slices.Equal(a.Pods, b.Pods) && a.PodsOmitted == b.PodsOmitted
}

func cloneTarget(t engine.Target) engine.Target {
	t.Labels, t.Placement, t.Pods = maps.Clone(t.Labels), slices.Clone(t.Placement), slices.Clone(t.Pods)
	if t.Replicas != nil {
		r := *t.Replicas
		t.Replicas = &r
	}
	return t
}

// sameMemory and cloneMemory copy the levels that the engine modifies in place.
// Parameters and notes are replaced and never modified.
func sameMemory(a, b engine.Memory) bool {
	return maps.EqualFunc(a, b, func(a, b engine.StrategyMemory) bool {
		return maps.EqualFunc(a.Last, b.Last, func(a, b engine.LastAct) bool {
			return a.AtNS == b.AtNS && a.Outcome == b.Outcome && sameJSON(a.With, b.With)
		}) && sameJSON(a.Note, b.Note) && sameJSON(a.Remembered, b.Remembered)
	})
}

// sameJSON is reflect.DeepEqual, without reflection for JSON types.
func sameJSON(a, b any) bool {
	switch a := a.(type) {
	case nil:
		return b == nil
	case float64:
		b, ok := b.(float64)
		return ok && math.Float64bits(a) == math.Float64bits(b) // -0 and 0 differ as text
	case string:
		b, ok := b.(string)
		return ok && a == b
	case bool:
		b, ok := b.(bool)
		return ok && a == b
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && (a == nil) == (b == nil) && maps.EqualFunc(a, b, sameJSON)
	case []any:
		b, ok := b.([]any)
		return ok && (a == nil) == (b == nil) && slices.EqualFunc(a, b, sameJSON)
	}
	return reflect.DeepEqual(a, b)
}

func cloneMemory(m engine.Memory) engine.Memory {
	out := maps.Clone(m)
	for name, s := range out {
		s.Last = maps.Clone(s.Last)
		out[name] = s
	}
	return out
}

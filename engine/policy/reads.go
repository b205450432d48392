package policy

import (
	"fmt"
	"maps"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine"
)

// reads are the parts of `input` that a rule reads, directly or through other rules.
type reads struct {
	now, trigger   bool
	target         engine.TargetFields
	memory, claims engine.Keys
	// anySignal is a location where a signal is read by a computed name; nil if there
	// is none.
	anySignal *ast.Location
	// anyFields are the fields that are read of such a signal.
	anyFields engine.SignalFields
	// signals are the signals that are read, each with one location.
	signals map[string]*ast.Location
	// fields are the fields of these signals that are read.
	fields map[string]engine.SignalFields
	// remembered are the strategies whose remembered value is read.
	remembered engine.Keys
	// rememberedAlone are those of which `.remembered` is read by this name.
	rememberedAlone engine.Keys
	params          params
}

func newReads() *reads {
	return &reads{signals: map[string]*ast.Location{}, fields: map[string]engine.SignalFields{}}
}

func (r *reads) merge(o *reads) {
	r.now = r.now || o.now
	r.trigger = r.trigger || o.trigger
	r.target |= o.target
	r.memory = r.memory.Union(o.memory)
	r.claims = r.claims.Union(o.claims)
	r.remembered = r.remembered.Union(o.remembered)
	r.rememberedAlone = r.rememberedAlone.Union(o.rememberedAlone)
	if r.anySignal == nil {
		r.anySignal = o.anySignal
	}
	for name, loc := range o.signals {
		if r.signals[name] == nil {
			r.signals[name] = loc
		}
		r.fields[name] |= o.fields[name]
	}
	r.anyFields |= o.anyFields
	r.params.merge(&o.params)
}

func (r *reads) toEngine() engine.Reads {
	return engine.Reads{
		Now: r.now, Trigger: r.trigger, Target: r.target, Memory: r.memory, Claims: r.claims,
		AllSignals: r.anySignal != nil, AllFields: r.anyFields, Signals: maps.Clone(r.fields),
	}
}

// addRef adds a reference into `input`. If the section is computed, all sections
// count as read.
func (r *reads) addRef(ref ast.Ref, loc *ast.Location) {
	if len(ref) == 1 {
		r.addAll(loc)
		return
	}
	section, ok := ref[1].Value.(ast.String)
	if !ok {
		r.addAll(loc)
		return
	}
	switch section {
	case "now_ns":
		r.now = true
	case "trigger":
		r.trigger = true
	case "target":
		r.target |= targetFields(ref[2:])
	case "memory":
		r.memory = withKey(r.memory, ref[2:])
		if field := refKey(ref, 3); field != "last" && field != "note" {
			r.remembered = withKey(r.remembered, ref[2:])
			if name := refKey(ref, 2); name != "" && field == "remembered" {
				r.rememberedAlone = r.rememberedAlone.With(name)
			}
		}
	case "claims":
		r.claims = withKey(r.claims, ref[2:])
	case "signals":
		r.addSignalRef(ref, loc)
	case "params":
		r.params.addRef(ref)
	}
}

func (r *reads) addAll(loc *ast.Location) {
	r.now, r.trigger, r.target, r.params.any = true, true, engine.AllTargetFields, true
	r.memory.All, r.claims.All, r.remembered.All, r.anyFields = true, true, true, engine.AllSignalFields
	if r.anySignal == nil {
		r.anySignal = loc
	}
}

// refKey returns an element of a reference as text, "" if it is computed or absent.
func refKey(ref ast.Ref, i int) string {
	if i >= len(ref) {
		return ""
	}
	name, _ := ref[i].Value.(ast.String)
	return string(name)
}

// withKey returns the keys with the first of a reference below them.
func withKey(keys engine.Keys, below ast.Ref) engine.Keys {
	if name := refKey(below, 0); name != "" {
		return keys.With(name)
	}
	keys.All = true
	return keys
}

// targetFields returns the fields that a reference below input.target reads.
func targetFields(below ast.Ref) engine.TargetFields {
	switch refKey(below, 0) {
	case "kind", "namespace", "name":
		return 0
	case "apiVersion":
		return engine.TargetAPIVersion
	case "labels":
		return engine.TargetLabels
	case "placement":
		return engine.TargetPlacement
	case "model":
		return engine.TargetModel
	case "pods", "pods_omitted":
		return engine.TargetPods
	case "replicas":
		switch refKey(below, 1) {
		case "desired":
			return engine.TargetDesired
		case "ready":
			return engine.TargetReady
		}
		return engine.TargetDesired | engine.TargetReady
	}
	return engine.AllTargetFields
}

// signalFields returns the fields that a reference below a signal reads, the age left out.
func signalFields(below ast.Ref) engine.SignalFields {
	switch refKey(below, 0) {
	case "age_ns":
		return 0
	case "state":
		return engine.SignalState
	case "value":
		return engine.SignalValue
	case "last":
		return engine.SignalLast
	case "window":
		return engine.SignalWindow
	case "since_ns":
		return engine.SignalSince
	case "sustained":
		return engine.SignalSustained
	case "missing":
		return engine.SignalMissing
	}
	return engine.AllSignalFields
}

// addSignalRef adds a reference to input.signals or below. A whole signal includes
// its age, which depends on the time.
func (r *reads) addSignalRef(ref ast.Ref, loc *ast.Location) {
	if field := refKey(ref, 3); field == "" || field == "age_ns" {
		r.now = true
	}
	name := refKey(ref, 2)
	if name == "" {
		if r.anySignal == nil {
			r.anySignal = loc
		}
		r.anyFields |= signalFields(ref[min(3, len(ref)):])
		return
	}
	if r.signals[name] == nil {
		r.signals[name] = loc
	}
	r.fields[name] |= signalFields(ref[3:])
}

// readTracer finds what rules read, also through the functions and packages that they
// use. It resolves parameters and local variables that are a part of `input` or a
// constant, so that a signal or its name can be passed to a function.
type readTracer struct {
	compiler *ast.Compiler
	memo     map[string]*reads
	calls    map[*ast.Rule]int // with arguments, which were different each time
}

// maxCalls bounds the different arguments that a function is traced with: functions that call
// others several times have exponentially many. Of the calls beyond, all of each argument
// counts as read.
const maxCalls = 200

func newTracer(c *ast.Compiler) *readTracer {
	return &readTracer{compiler: c, memo: map[string]*reads{}, calls: map[*ast.Rule]int{}}
}

// readsOf returns what a rule reads. args are the values of its parameters (nil if not
// known); tail is the part of the rule's value that is used.
func (t *readTracer) readsOf(readsOf *ast.Rule, args []*ast.Term, tail ast.Ref) *reads {
	key := fmt.Sprintf("%p%v%v", readsOf, args, tail)
	if known, ok := t.memo[key]; ok {
		return known
	}
	out := newReads()
	t.memo[key] = out
	if len(args) > 0 {
		t.calls[readsOf]++
	}
	for r := readsOf; r != nil; r = r.Else {
		w := &walk{readTracer: t, reads: out, locals: map[ast.Var]*ast.Term{}, defines: map[*ast.Expr]bool{}}
		for i, p := range r.Head.Args {
			if v, ok := p.Value.(ast.Var); ok && i < len(args) && args[i] != nil {
				w.locals[v] = args[i]
			} else if !ok && i < len(args) && args[i] != nil {
				w.addReads(args[i])
			}
		}
		w.collectLocals(r.Body)
		w.addReads(r.Body)
		w.visitHead(r.Head, tail)
	}
	return out
}

// collectDependencies collects a rule and the rules that it depends on.
func (t *readTracer) collectDependencies(rule *ast.Rule, into map[*ast.Rule]bool) {
	if into[rule] {
		return
	}
	into[rule] = true
	for dep := range t.compiler.Graph.Dependencies(rule) {
		if r, ok := dep.(*ast.Rule); ok {
			t.collectDependencies(r, into)
		}
	}
}

// quotedList formats a list of names for a message.
func quotedList(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = fmt.Sprintf("%q", n)
	}
	return strings.Join(quoted, ", ")
}

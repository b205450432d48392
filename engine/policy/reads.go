package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine"
)

// reads are the parts of `input` that a rule reads, directly or through other rules.
type reads struct {
	now, trigger, target, memory, claims bool
	// anySignal is a location where a signal is read by a computed name; nil if there
	// is none.
	anySignal *ast.Location
	// signals are the signals that are read, each with one location.
	signals map[string]*ast.Location
	// anySustained and sustained are the same for the signals whose sustained is read by name.
	// What reads a whole signal sets now.
	anySustained bool
	sustained    map[string]bool
	params       params
}

func newReads() *reads {
	return &reads{signals: map[string]*ast.Location{}, sustained: map[string]bool{}}
}

func (r *reads) merge(o *reads) {
	r.now = r.now || o.now
	r.trigger = r.trigger || o.trigger
	r.target = r.target || o.target
	r.memory = r.memory || o.memory
	r.claims = r.claims || o.claims
	if r.anySignal == nil {
		r.anySignal = o.anySignal
	}
	for name, loc := range o.signals {
		if r.signals[name] == nil {
			r.signals[name] = loc
		}
	}
	r.anySustained = r.anySustained || o.anySustained
	maps.Copy(r.sustained, o.sustained)
	r.params.merge(&o.params)
}

func (r *reads) toEngine() engine.Reads {
	return engine.Reads{
		Now: r.now, Trigger: r.trigger, Target: r.target, Memory: r.memory, Claims: r.claims,
		AllSignals: r.anySignal != nil, Signals: slices.Sorted(maps.Keys(r.signals)),
		AllSustained: r.anySustained, Sustained: slices.Sorted(maps.Keys(r.sustained)),
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
		r.target = true
	case "memory":
		r.memory = true
	case "claims":
		r.claims = true
	case "signals":
		r.addSignalRef(ref, loc)
	case "params":
		r.params.addRef(ref)
	}
}

func (r *reads) addAll(loc *ast.Location) {
	r.now, r.trigger, r.target, r.memory, r.claims, r.params.any = true, true, true, true, true, true
	if r.anySignal == nil {
		r.anySignal = loc
	}
}

// addSignalRef adds a reference to input.signals or below. A whole signal includes
// its age, which depends on the time.
func (r *reads) addSignalRef(ref ast.Ref, loc *ast.Location) {
	if len(ref) < 4 {
		r.now = true
	} else if field, ok := ref[3].Value.(ast.String); !ok || field == "age_ns" {
		r.now = true
	}
	var name ast.String
	if len(ref) > 2 {
		name, _ = ref[2].Value.(ast.String)
	}
	if len(ref) > 3 && ref[3].Value.Compare(ast.String("sustained")) == 0 {
		if r.anySustained = r.anySustained || name == ""; name != "" {
			r.sustained[string(name)] = true
		}
	}
	if name == "" {
		if r.anySignal == nil {
			r.anySignal = loc
		}
		return
	}
	if r.signals[string(name)] == nil {
		r.signals[string(name)] = loc
	}
}

// readTracer finds what rules read, also through the functions and packages that they
// use. It resolves parameters and local variables that are a part of `input` or a
// constant, so that a signal or its name can be passed to a function.
type readTracer struct {
	compiler *ast.Compiler
	memo     map[string]*reads
}

func newTracer(c *ast.Compiler) *readTracer {
	return &readTracer{compiler: c, memo: map[string]*reads{}}
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

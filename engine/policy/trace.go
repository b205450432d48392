package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine"
)

// reads is the part of `input` that a rule can reach, itself or through what it calls.
type reads struct {
	now, trigger, target, memory, claims bool
	// all is where a signal is read whose name the text doesn't tell; nil where none is.
	all *ast.Location
	// signals are the signals read, each with one place where that is.
	signals map[string]*ast.Location
	params  params
}

func newReads() *reads { return &reads{signals: map[string]*ast.Location{}} }

func (r *reads) add(o *reads) {
	r.now = r.now || o.now
	r.trigger = r.trigger || o.trigger
	r.target = r.target || o.target
	r.memory = r.memory || o.memory
	r.claims = r.claims || o.claims
	if r.all == nil {
		r.all = o.all
	}
	for name, loc := range o.signals {
		if r.signals[name] == nil {
			r.signals[name] = loc
		}
	}
	r.params.add(&o.params)
}

func (r *reads) engine() engine.Reads {
	return engine.Reads{
		Now: r.now, Trigger: r.trigger, Target: r.target, Memory: r.memory, Claims: r.claims,
		AllSignals: r.all != nil, Signals: slices.Sorted(maps.Keys(r.signals)),
	}
}

// input notes that a reference into `input` is read. What the text leaves open
// counts as read.
func (r *reads) input(ref ast.Ref, loc *ast.Location) {
	if len(ref) == 1 {
		r.everything(loc)
		return
	}
	section, ok := ref[1].Value.(ast.String)
	if !ok {
		r.everything(loc)
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
		r.signal(ref, loc)
	case "params":
		r.params.read(ref)
	}
}

func (r *reads) everything(loc *ast.Location) {
	r.now, r.trigger, r.target, r.memory, r.claims, r.params.any = true, true, true, true, true, true
	if r.all == nil {
		r.all = loc
	}
}

// signal notes a reference to input.signals or below. A signal read as a whole
// has its age in it, which changes with the time.
func (r *reads) signal(ref ast.Ref, loc *ast.Location) {
	if len(ref) < 4 {
		r.now = true
	} else if field, ok := ref[3].Value.(ast.String); !ok || field == "age_ns" {
		r.now = true
	}
	var name ast.String
	if len(ref) > 2 {
		name, _ = ref[2].Value.(ast.String)
	}
	if name == "" {
		if r.all == nil {
			r.all = loc
		}
		return
	}
	if r.signals[string(name)] == nil {
		r.signals[string(name)] = loc
	}
}

// tracer follows rules through the functions and packages they use. It knows
// what a parameter or a local variable stands for where that is a part of
// `input` or a constant, so that a helper may take a signal, or its name.
type tracer struct {
	compiler *ast.Compiler
	memo     map[string]*reads
}

func newTracer(c *ast.Compiler) *tracer {
	return &tracer{compiler: c, memo: map[string]*reads{}}
}

// rule is what a rule reads. args are what its parameters stand for (nil where
// that isn't known); tail is the part of its value that is asked for.
func (t *tracer) rule(rule *ast.Rule, args []*ast.Term, tail ast.Ref) *reads {
	key := fmt.Sprintf("%p%v%v", rule, args, tail)
	if known, ok := t.memo[key]; ok {
		return known
	}
	out := newReads()
	t.memo[key] = out
	for r := rule; r != nil; r = r.Else {
		w := &walk{tracer: t, out: out, locals: map[ast.Var]*ast.Term{}, defines: map[*ast.Expr]bool{}}
		for i, p := range r.Head.Args {
			if v, ok := p.Value.(ast.Var); ok && i < len(args) && args[i] != nil {
				w.locals[v] = args[i]
			} else if !ok && i < len(args) && args[i] != nil {
				w.node(args[i])
			}
		}
		w.learn(r.Body)
		w.node(r.Body)
		w.head(r.Head, tail)
	}
	return out
}

// reaches gathers the rules that a rule uses, itself included.
func (t *tracer) reaches(rule *ast.Rule, into map[*ast.Rule]bool) {
	if into[rule] {
		return
	}
	into[rule] = true
	for dep := range t.compiler.Graph.Dependencies(rule) {
		if r, ok := dep.(*ast.Rule); ok {
			t.reaches(r, into)
		}
	}
}

// signalNames is a list for a message.
func signalNames(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = fmt.Sprintf("%q", n)
	}
	return strings.Join(quoted, ", ")
}

package policy

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

// overrunAfter bounds an evaluation's time after it was cancelled. One that
// reacts to that stops within microseconds, even on a slow machine.
const overrunAfter = 3 * time.Second

// slowAfter is the duration from which an evaluation is recorded as slow. Most take
// less than a millisecond.
const slowAfter = 10 * time.Millisecond

// watchdog holds the callbacks for evaluations that take long or can't be stopped.
// Both may be nil.
type watchdog struct {
	after     time.Duration
	onOverrun func()
	onSlow    func() (remove func())
}

// start watches an evaluation until end is called: it records it as slow, cancels it
// at the deadline and reports it as an overrun, each if it still runs by then.
func (l watchdog) start(deadline time.Duration, stop func()) *runningEval {
	w := &runningEval{watchdog: l}
	first := min(slowAfter, deadline)
	w.timer = time.AfterFunc(first, func() {
		w.recordSlow()
		w.watchHeap(liveHeap(), stop)
		w.after(deadline-first, func() {
			stop()
			if l.onOverrun != nil {
				w.after(l.after, l.onOverrun)
			}
		})
	})
	return w
}

// runningEval is an evaluation that a watchdog watches.
type runningEval struct {
	watchdog
	timer *time.Timer // for slowAfter

	mu        sync.Mutex
	done      bool
	heapLimit uint64 // the limit at which the heap stopped the evaluation, in bytes; 0 if it did not
	remove    func()
}

// after calls do after a time, unless the evaluation has ended by then.
func (w *runningEval) after(d time.Duration, do func()) {
	time.AfterFunc(d, func() {
		w.mu.Lock()
		ended := w.done
		w.mu.Unlock()
		if !ended {
			do()
		}
	})
}

func (w *runningEval) recordSlow() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.done && w.onSlow != nil {
		w.remove = w.onSlow()
	}
}

func (w *runningEval) end() {
	w.timer.Stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done = true
	if w.remove != nil {
		w.remove()
	}
	if w.heapLimit > 0 {
		collectGarbage(w.heapLimit)
	}
}

// Overrun describes an evaluation that did not stop at its deadline, or a slow one.
// It is not known which of the members that were evaluated together is at fault.
type Overrun struct {
	Revision string    `json:"revision"`
	At       time.Time `json:"at"`
	Agent    string    `json:"agent"`  // namespace/name
	Target   string    `json:"target"` // namespace/name
	// Suspects are the strategies or guards that were evaluated.
	Suspects []Member `json:"suspects"`
	// Input is the input of the evaluation.
	Input json.RawMessage `json:"input"`
}

// Member is a strategy or a guard.
type Member struct {
	Kind string `json:"kind"` // strategy or guard
	Name string `json:"name"`
}

// String returns "strategy NAME" or "guard NAME".
func (m Member) String() string { return m.Kind + " " + m.Name }

// The kinds of a Member.
const (
	KindStrategy = "strategy"
	KindGuard    = "guard"
)

// newOverrun describes a running evaluation. It only reads the input, as the
// evaluation does on its own goroutine.
func (r *Revision) newOverrun(input ast.Value, newOverrun []*member) Overrun {
	o := Overrun{Revision: r.id, At: time.Now(), Agent: qualifiedName(input, "agent"), Target: qualifiedName(input, "target")}
	for _, m := range newOverrun {
		o.Suspects = append(o.Suspects, m.Member)
	}
	if v, err := ast.JSON(input); err == nil {
		o.Input, _ = json.Marshal(v)
	}
	return o
}

func (r *Revision) watchdog(input ast.Value, asked ...*member) watchdog {
	l := watchdog{after: r.opts.overrunAfter}
	if r.opts.OnOverrun != nil {
		l.onOverrun = func() { r.opts.OnOverrun(r.newOverrun(input, asked)) }
	}
	if r.opts.OnSlow != nil {
		l.onSlow = func() func() { return r.opts.OnSlow(r.newOverrun(input, asked)) }
	}
	return l
}

// qualifiedName returns "namespace/name" of a section of the input.
func qualifiedName(input ast.Value, section string) string {
	part := func(key string) string {
		v, err := input.Find(ast.Ref{ast.StringTerm(section), ast.StringTerm(key)})
		if err != nil {
			return ""
		}
		s, _ := v.(ast.String)
		return string(s)
	}
	return part("namespace") + "/" + part("name")
}

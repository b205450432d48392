package policy

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

// overrunAfter is how long an evaluation may go on after it was told to stop. One that
// heeds that does so within microseconds; what is longer is no slow machine.
const overrunAfter = 3 * time.Second

// noteAfter is how long an evaluation takes before it is noted down that it is under way,
// lest it end the process: most take less than a millisecond.
const noteAfter = 10 * time.Millisecond

// late has the functions that run calls where an evaluation takes long, and where it does not stop.
type late struct {
	after time.Duration
	tell  func()        // nil where nobody is told
	note  func() func() // notes that it is under way, and returns what takes that back; nil notes nothing
}

// follow has an evaluation noted, then stopped at its deadline, then told of, for as long as
// end was not called.
func (l late) follow(deadline time.Duration, stop func()) *underWay {
	w := &underWay{late: l}
	first := min(noteAfter, deadline)
	w.timer = time.AfterFunc(first, func() {
		w.noted()
		w.mind(liveHeap(), stop)
		w.after(deadline-first, func() {
			stop()
			if l.tell != nil {
				w.after(l.after, l.tell)
			}
		})
	})
	return w
}

// underWay is an evaluation under way.
type underWay struct {
	late
	timer *time.Timer // the first

	mu       sync.Mutex
	ended    bool
	most     uint64 // what the heap had more of when it was stopped for that, in bytes; else 0
	takeBack func()
}

// after does something later, unless the evaluation has ended by then.
func (w *underWay) after(d time.Duration, do func()) {
	time.AfterFunc(d, func() {
		w.mu.Lock()
		ended := w.ended
		w.mu.Unlock()
		if !ended {
			do()
		}
	})
}

func (w *underWay) noted() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended && w.note != nil {
		w.takeBack = w.note()
	}
}

func (w *underWay) end() {
	w.timer.Stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	if w.takeBack != nil {
		w.takeBack()
	}
	if w.most > 0 {
		collect(w.most)
	}
}

// Overrun is an evaluation that did not stop at its deadline. Which of the members that
// were asked together is at fault is not known.
type Overrun struct {
	Revision string    `json:"revision"`
	At       time.Time `json:"at"`
	Agent    string    `json:"agent"`  // namespace/name
	Target   string    `json:"target"` // namespace/name
	// Suspects are the strategies, or the guards, that were asked.
	Suspects []Member `json:"suspects"`
	// Input is what they were asked about.
	Input json.RawMessage `json:"input"`
}

// Member is a strategy or a guard.
type Member struct {
	Kind string `json:"kind"` // strategy or guard
	Name string `json:"name"`
}

// String is "strategy NAME".
func (m Member) String() string { return m.Kind + " " + m.Name }

// The kinds of a Member.
const (
	KindStrategy = "strategy"
	KindGuard    = "guard"
)

// asked says who is asked about what. The evaluation's own goroutine only reads the input,
// as this does.
func (r *Revision) asked(input ast.Value, asked []*member) Overrun {
	o := Overrun{Revision: r.id, At: time.Now(), Agent: named(input, "agent"), Target: named(input, "target")}
	for _, m := range asked {
		o.Suspects = append(o.Suspects, m.Member)
	}
	if v, err := ast.JSON(input); err == nil { // a document is JSON
		o.Input, _ = json.Marshal(v)
	}
	return o
}

func (r *Revision) late(input ast.Value, asked ...*member) late {
	l := late{after: r.opts.overrunAfter}
	if r.opts.Overran != nil {
		l.tell = func() { r.opts.Overran(r.asked(input, asked)) }
	}
	if r.opts.Note != nil {
		l.note = func() func() { return r.opts.Note(r.asked(input, asked)) }
	}
	return l
}

// named is "namespace/name" of a section of the input.
func named(input ast.Value, section string) string {
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

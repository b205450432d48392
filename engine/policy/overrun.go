package policy

import (
	"encoding/json"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

// overrunAfter is how long an evaluation may go on after it was told to stop. One that
// heeds that does so within microseconds; what is longer is no slow machine.
const overrunAfter = 3 * time.Second

// late is what run calls where an evaluation does not stop.
type late struct {
	after time.Duration
	tell  func() // nil where nobody is told
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

// overran tells of an evaluation that does not stop. Its goroutine only reads the input,
// as this does.
func (r *Revision) overran(input ast.Value, asked []*member) {
	o := Overrun{Revision: r.id, At: time.Now(), Agent: named(input, "agent"), Target: named(input, "target")}
	for _, m := range asked {
		o.Suspects = append(o.Suspects, m.Member)
	}
	if v, err := ast.JSON(input); err == nil { // a document is JSON
		o.Input, _ = json.Marshal(v)
	}
	r.opts.Overran(o)
}

func (r *Revision) late(input ast.Value, asked ...*member) late {
	if r.opts.Overran == nil {
		return late{}
	}
	return late{r.opts.overrunAfter, func() { r.overran(input, asked) }}
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

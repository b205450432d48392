package policy

import (
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/confine"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// request is what a judge is asked, and answer what it says, each in encoding/gob.
type request struct {
	Source                Source
	Deadline, TestTimeout time.Duration
	// Try is a candidate, to be judged in every way.
	Try   bool
	Trial Trial
	// Members are else asked about inputs, with Trace so that their place is told.
	Members []Member
	Inputs  []json.RawMessage
	Trace   bool
}

type answer struct {
	Mistakes []mistake.Mistake
	// Skipped counts the documents for which there was no time.
	Skipped int
}

const (
	readWithin  = 10 * time.Second
	checkWithin = 10 * time.Second
	// trialWithin bounds the asking about documents in all; the rest is skipped.
	trialWithin = 5 * time.Second
	// proposalsTried is how many proposals of one document are shown to the guards.
	proposalsTried = 20
)

// ServeJudge is what a confined child does: it answers one request.
func ServeJudge(ctx context.Context, in io.Reader, out io.Writer) error {
	confine.Doing("reading what is to be judged", readWithin)
	var r request
	if err := gob.NewDecoder(in).Decode(&r); err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	opts := Options{Deadline: r.Deadline, TestTimeout: r.TestTimeout}.withDefaults()
	var a answer
	var err error
	if r.Try {
		err = a.try(ctx, &r, opts)
	} else {
		err = rehearse(ctx, &r, opts)
	}
	var mistakes mistake.Mistakes
	switch {
	case errors.As(err, &mistakes):
		a.Mistakes = append(a.Mistakes, mistakes...)
	case err != nil:
		return err
	}
	return gob.NewEncoder(out).Encode(a)
}

func (a *answer) try(ctx context.Context, r *request, opts Options) error {
	rev, err := Candidate(ctx, r.Source, opts)
	if err != nil {
		return err
	}
	for _, s := range r.Trial.Subjects {
		confine.Doing("checking the strategies against agent "+s.Agent, checkWithin)
		// What is found is for the daemon to say; here it is enough that it ends.
		_ = rev.CheckAgainst([]byte(s.Schema), present(rev, s.Strategies))
	}
	if r.Trial.Guards != nil {
		confine.Doing("checking the guards against the agents", checkWithin)
		var schema any
		if err := json.Unmarshal(r.Trial.Guards, &schema); err != nil {
			return fmt.Errorf("read the schema of the guards: %w", err)
		}
		_ = rev.CheckGuards(schema)
	}
	until := time.Now().Add(trialWithin)
	for _, s := range r.Trial.Subjects {
		for i, raw := range s.Documents {
			if time.Now().After(until) {
				a.Skipped += len(s.Documents) - i
				break
			}
			if err := tryDocument(ctx, rev, s, i, raw); err != nil {
				return err
			}
		}
	}
	return nil
}

func present(rev *Revision, strategies []string) []string {
	return slices.DeleteFunc(slices.Clone(strategies), func(s string) bool { return !rev.Has(s) })
}

// tryDocument asks the strategies of an agent about one document, and the guards about
// what they propose.
func tryDocument(ctx context.Context, rev *Revision, s Subject, i int, raw json.RawMessage) error {
	doc, err := engine.ReadDocument(raw)
	if err != nil {
		return fmt.Errorf("read a document of agent %s: %w", s.Agent, err)
	}
	for _, name := range present(rev, s.Strategies) {
		m := Member{KindStrategy, name}
		rev.doing(m, i, raw)
		input, err := rev.parts.input(doc)
		if err != nil {
			continue // a problem of the turn, whatever the policies say
		}
		v, err := rev.lone(ctx, m, input, nil)
		if err := beyond(m, doc, err); err != nil {
			return err
		}
		if err != nil {
			continue // an error of a strategy is a problem of the turn, as before
		}
		proposals, _ := readProposals(v, name, doc)
		for _, p := range proposals[:min(len(proposals), proposalsTried)] {
			if _, err := json.Marshal(p.With); err != nil {
				continue
			}
			for _, guard := range rev.Guards() {
				m := Member{KindGuard, guard}
				rev.doing(m, i, raw)
				input, err := rev.parts.withProposal(doc, p)
				if err != nil {
					continue
				}
				v, err := rev.lone(ctx, m, input, nil)
				if err := beyond(m, doc, err); err != nil {
					return err
				}
				if err == nil {
					readDenials(v, guard) // as the daemon would: it must come to an end
				}
			}
		}
	}
	return nil
}

// beyond is the mistake of a member that reached a limit.
func beyond(m Member, doc *engine.Document, err error) error {
	var stopped *StoppedError
	if !errors.As(err, &stopped) {
		return nil
	}
	return mistake.Mistakes{{Message: fmt.Sprintf("%s %s, on the newest document of target %s of agent %s", m, stopped.Why, doc.Target.ID(), doc.Agent), Fix: stopped.Fix}}
}

// rehearse asks members about inputs as they are; what they answer is measured as the
// daemon would read it.
func rehearse(ctx context.Context, r *request, opts Options) error {
	rev, err := Compile(ctx, r.Source, opts)
	if err != nil {
		return err
	}
	var more []rego.EvalOption
	if r.Trace {
		more = append(more, rego.EvalQueryTracer(placeTracer{}))
	}
	for i, raw := range r.Inputs {
		var v any
		if err := util.UnmarshalJSON(raw, &v); err != nil {
			return fmt.Errorf("read a document: %w", err)
		}
		input, err := ast.InterfaceToValue(v)
		if err != nil {
			return fmt.Errorf("read a document: %w", err)
		}
		doc, _ := engine.ReadDocument(raw) // nil where it has a proposal, for guards
		for _, m := range r.Members {
			if m.Kind == KindGuard && doc != nil {
				continue // it is asked about what is proposed
			}
			rev.doing(m, i, raw)
			answer, err := rev.lone(ctx, m, input, more)
			if err != nil || doc == nil {
				continue // whatever it says, it came back
			}
			proposals, _ := readProposals(answer, m.Name, doc)
			for _, p := range proposals[:min(len(proposals), proposalsTried)] {
				for _, guard := range r.Members {
					if guard.Kind != KindGuard {
						continue
					}
					rev.doing(guard, i, raw)
					input, err := rev.parts.withProposal(doc, p)
					if err != nil {
						continue
					}
					if v, err := rev.lone(ctx, guard, input, more); err == nil {
						readDenials(v, guard.Name)
					}
				}
			}
		}
	}
	return nil
}

// doing says who is asked about which document.
func (r *Revision) doing(m Member, i int, raw json.RawMessage) {
	confine.Doing(asking(m, i, raw), r.opts.Deadline+overrunAfter)
}

// asking is the step of a judge that asks a member about a document.
func asking(m Member, i int, raw json.RawMessage) string {
	of := headOf(raw)
	text := fmt.Sprintf("asking %s on document %d, of target %s of agent %s", m, i+1, of.Target.String(), of.Agent.String())
	return strings.Join(strings.Fields(text), " ")
}

// lone asks one member, and nobody else.
func (r *Revision) lone(ctx context.Context, m Member, input ast.Value, more []rego.EvalOption) (ast.Value, error) {
	pkg, rule := r.packageOf(m), "propose"
	if m.Kind == KindGuard {
		rule = "deny"
	}
	if pkg == nil {
		return nil, fmt.Errorf("there is no %s", m)
	}
	is := r.queries.member(m, pkg, rule)
	query, err := is.ready(ctx, r, is.body)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", is.path, err)
	}
	return run(ctx, query, r.opts.Deadline, input, nil, late{}, more...)
}

// head is whom a document is of.
type head struct {
	Agent  nameInHead `json:"agent"`
	Target nameInHead `json:"target"`
}

type nameInHead struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// String is "namespace/name".
func (n nameInHead) String() string { return n.Namespace + "/" + n.Name }

func headOf(raw json.RawMessage) head {
	var h head
	_ = json.Unmarshal(raw, &h) // a document that is none has no names
	return h
}

// placeTracer notes for the parent where the evaluation is.
type placeTracer struct{}

// Enabled is part of topdown.QueryTracer.
func (placeTracer) Enabled() bool { return true }

// Config is part of topdown.QueryTracer.
func (placeTracer) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

// TraceEvent is part of topdown.QueryTracer.
func (placeTracer) TraceEvent(e topdown.Event) {
	if loc := e.Location; loc != nil && loc.File != "" && e.Op == topdown.EvalOp {
		line, _, _ := strings.Cut(string(loc.Text), "\n")
		confine.At(fmt.Sprintf("%s:%d: %s", loc.File, loc.Row, clip(line)))
	}
}

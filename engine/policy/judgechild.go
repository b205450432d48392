package policy

import (
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/confine"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

// request and response are the messages between parent and child, in encoding/gob.
type request struct {
	Source                source.Source
	Deadline, TestTimeout time.Duration
	// Try asks for a check of Source as a candidate, with Trial.
	Try   bool
	Trial Trial
	// Members are evaluated on Inputs if Try is not set. With Trace, the child reports
	// the line that it evaluates.
	Members []Member
	Inputs  []json.RawMessage
	Trace   bool
}

type response struct {
	Mistakes []mistake.Mistake
	// Skipped counts the documents that were not evaluated for lack of time.
	Skipped int
	// Compiled reports whether a candidate that is refused was compiled, also against the
	// agents.
	Compiled bool
}

const (
	readTimeout  = 10 * time.Second
	checkTimeout = 10 * time.Second
	// trialTimeout bounds the evaluation of all documents; the rest is skipped.
	trialTimeout = 5 * time.Second
	// maxTriedProposals bounds the proposals of one document that the guards are evaluated on.
	maxTriedProposals = 20
)

// ServeJudge is the main function of the child process. It handles one request.
func ServeJudge(ctx context.Context, in io.Reader, out io.Writer) error {
	confine.Doing("reading what is to be judged", readTimeout)
	var r request
	if err := gob.NewDecoder(in).Decode(&r); err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	opts := Options{Deadline: r.Deadline, TestTimeout: r.TestTimeout}.withDefaults()
	var a response
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

func (a *response) try(ctx context.Context, r *request, opts Options) error {
	rev, err := Candidate(ctx, r.Source, opts)
	if err != nil {
		if draft, failed := Draft(ctx, r.Source); failed == nil {
			a.Compiled = checkAgents(draft, r.Trial) == nil
		}
		return err
	}
	if err := checkAgents(rev, r.Trial); err != nil {
		return err
	}
	until := time.Now().Add(trialTimeout)
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

// checkAgents compiles a revision against the agents. The parent reports the mistakes; this only
// checks that the calls return.
func checkAgents(rev *Revision, t Trial) error {
	for _, s := range t.Subjects {
		confine.Doing("checking the strategies against agent "+s.Agent, checkTimeout)
		_ = rev.CheckAgainst([]byte(s.Schema), existing(rev, s.Strategies))
	}
	if t.Guards == nil {
		return nil
	}
	confine.Doing("checking the guards against the agents", checkTimeout)
	var schema any
	if err := json.Unmarshal(t.Guards, &schema); err != nil {
		return fmt.Errorf("read the schema of the guards: %w", err)
	}
	_ = rev.CheckGuards(schema, rev.Guards())
	return nil
}

func existing(rev *Revision, strategies []string) []string {
	return slices.DeleteFunc(slices.Clone(strategies), func(s string) bool { return !rev.Has(s) })
}

// tryDocument evaluates the strategies of an agent on one document, and the guards
// on their proposals.
func tryDocument(ctx context.Context, rev *Revision, s Subject, i int, raw json.RawMessage) error {
	doc, err := engine.ReadDocument(raw)
	if err != nil {
		return fmt.Errorf("read a document of agent %s: %w", s.Agent, err)
	}
	for _, name := range existing(rev, s.Strategies) {
		m := Member{KindStrategy, name}
		rev.reportStep(m, i, raw)
		input, err := rev.inputs.input(doc)
		if err != nil {
			continue // the document is at fault, not the policies
		}
		v, err := rev.evaluateMember(ctx, m, input, nil)
		if err := stoppedMistake(m, doc, err); err != nil {
			return err
		}
		if err != nil {
			continue // an error of a strategy is reported by the turn
		}
		proposals, _ := readProposals(v[proposeRule], name, doc)
		for _, p := range proposals[:min(len(proposals), maxTriedProposals)] {
			if _, err := json.Marshal(p.With); err != nil {
				continue
			}
			for _, guard := range rev.binding(p).guards {
				m := Member{KindGuard, guard}
				rev.reportStep(m, i, raw)
				if err := stoppedMistake(m, doc, rev.evaluateGuard(ctx, m, doc, p, nil)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// stoppedMistake returns the mistake of a member that reached a limit, or nil for
// any other error.
func stoppedMistake(m Member, doc *engine.Document, err error) error {
	var stopped *StoppedError
	if !errors.As(err, &stopped) {
		return nil
	}
	return mistake.Mistakes{{Message: fmt.Sprintf("%s %s, on the newest document of target %s of agent %s", m, stopped.Why, doc.Target.ID(), doc.Agent), Fix: stopped.Fix}}
}

// rehearse evaluates members on the inputs as they are and reads their answers as
// the parent would.
func rehearse(ctx context.Context, r *request, opts Options) error {
	rev, err := Compile(ctx, r.Source, opts)
	if err != nil {
		return err
	}
	var more []rego.EvalOption
	if r.Trace {
		more = append(more, rego.EvalQueryTracer(locationTracer{}))
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
		doc, _ := engine.ReadDocument(raw) // nil for the input of a guard, which has a proposal
		for _, m := range r.Members {
			if m.Kind == KindGuard && doc != nil {
				continue // guards are evaluated on the proposals below
			}
			rev.reportStep(m, i, raw)
			answer, err := rev.evaluateMember(ctx, m, input, more)
			if err != nil || doc == nil {
				continue // it returned, which is all that is checked
			}
			proposals, _ := readProposals(answer[proposeRule], m.Name, doc)
			for _, p := range proposals[:min(len(proposals), maxTriedProposals)] {
				bound := rev.binding(p).guards
				for _, guard := range r.Members {
					if guard.Kind != KindGuard || !slices.Contains(bound, guard.Name) {
						continue
					}
					rev.reportStep(guard, i, raw)
					_ = rev.evaluateGuard(ctx, guard, doc, p, more) // it returned, which is all that is checked
				}
			}
		}
	}
	return nil
}

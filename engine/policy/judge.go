package policy

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine/confine"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

// JudgeOptions configure how policies are judged in a child process.
type JudgeOptions struct {
	Options
	// Command are the arguments with which this program calls ServeJudge.
	Command []string
	// Log may be nil.
	Log hclog.Logger
}

// Judge compiles, tests and evaluates policies in a child process of this program,
// so that policies which use up memory or time can't harm the parent. It is safe
// for concurrent use.
type Judge struct{ opts JudgeOptions }

// NewJudge returns a judge. It starts no process; its methods do.
func NewJudge(o JudgeOptions) *Judge {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	o.Options = o.withDefaults()
	return &Judge{o}
}

// Trial holds the agents that a candidate is checked against, besides its own tests.
type Trial struct {
	Subjects []Subject
	// Guards is the JSON Schema of the guards' input; nil if no agent runs.
	Guards json.RawMessage
}

// Subject is an agent that will use the candidate.
type Subject struct {
	Agent      string
	Strategies []string
	// Schema is the JSON Schema of its documents.
	Schema json.RawMessage
	// Documents are its newest documents, as JSON.
	Documents []json.RawMessage
}

// Try compiles, checks and tests a candidate and evaluates it on the newest
// documents of the agents. It returns nil if the candidate is acceptable. The error
// is of type Mistakes; if the child reached a limit, it names the step.
func (j *Judge) Try(ctx context.Context, src source.Source, t Trial) error {
	_, err := j.try(ctx, src, t)
	return err
}

// try is Try. compiled reports whether a candidate that is refused was compiled, also against
// the agents, within the limits of the child.
func (j *Judge) try(ctx context.Context, src source.Source, t Trial) (compiled bool, err error) {
	var a response
	err = j.runChild(ctx, request{Try: true, Source: src, Trial: t}, &a)
	var limitErr *confine.Error
	switch {
	case errors.As(err, &limitErr):
		return false, mistake.Mistakes{limitMistake(limitErr)}
	case err != nil:
		return false, err
	}
	if a.Skipped > 0 {
		j.opts.Log.Debug("not every document was tried in the time for it", "left", a.Skipped)
	}
	return a.Compiled, sorted(a.Mistakes).Err()
}

// limitMistake returns the mistake for policies that made the child reach a limit.
func limitMistake(e *confine.Error) mistake.Mistake {
	m := mistake.Mistake{Message: "they were judged in a child process, and " + e.Error(), Fix: "bound what the policies compute; what runs stays as it was"}
	if e.At != "" {
		m.Message += " (" + e.At + ")"
	}
	return m
}

// runChild runs a child process with a request and decodes its response.
func (j *Judge) runChild(ctx context.Context, r request, into *response) error {
	r.Deadline, r.TestTimeout = j.opts.Deadline, j.opts.TestTimeout
	var in, out, errOut bytes.Buffer
	if err := gob.NewEncoder(&in).Encode(r); err != nil {
		return fmt.Errorf("judge the policies: %w", err)
	}
	child := confine.Child{Args: j.opts.Command, Env: childEnv(), Stdin: &in, Stdout: &out, Stderr: &errOut}
	if err := child.Run(ctx); err != nil {
		var limitErr *confine.Error
		if errors.As(err, &limitErr) || ctx.Err() != nil {
			return err
		}
		err = fmt.Errorf("judge the policies in a child process: %w", err)
		if said := strings.TrimSpace(errOut.String()); said != "" {
			err = fmt.Errorf("%w: %s", err, clip(said))
		}
		return err
	}
	if err := gob.NewDecoder(&out).Decode(into); err != nil {
		return fmt.Errorf("judge the policies: read the answer: %w", err)
	}
	return nil
}

// childEnv returns the few variables that the child needs. The others may hold secrets.
func childEnv() []string {
	var out []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "LANG", "TZ"} {
		if value, is := os.LookupEnv(name); is {
			out = append(out, name+"="+value)
		}
	}
	return out
}

// Rehearse evaluates strategies and guards one by one on documents of the agents,
// and quarantines those that make the child reach a limit. It discards their
// answers. An error means that the rehearsal could not be completed.
func (j *Judge) Rehearse(ctx context.Context, rev *Revision, members []Member, inputs []json.RawMessage) ([]Quarantined, error) {
	return j.rehearse(ctx, rev, members, inputs, false)
}

// RehearseSuspects is Rehearse for members of which one did not return on an input
// before. It traces the evaluation to find the line, and repeats it without a trace
// if no member fails.
func (j *Judge) RehearseSuspects(ctx context.Context, rev *Revision, members []Member, input json.RawMessage) ([]Quarantined, error) {
	found, err := j.rehearse(ctx, rev, members, []json.RawMessage{input}, true)
	if err != nil || len(found) > 0 {
		return found, err
	}
	return j.rehearse(ctx, rev, members, []json.RawMessage{input}, false)
}

func (j *Judge) rehearse(ctx context.Context, rev *Revision, members []Member, inputs []json.RawMessage, trace bool) ([]Quarantined, error) {
	var out []Quarantined
	for {
		members = slices.DeleteFunc(slices.Clone(members), func(m Member) bool { return rev.opts.Quarantine.errorFor(rev.id, m) != nil })
		if len(members) == 0 || len(inputs) == 0 {
			return out, nil
		}
		var a response
		err := j.runChild(ctx, request{Source: rev.source, Members: members, Inputs: inputs, Trace: trace}, &a)
		var limitErr *confine.Error
		if !errors.As(err, &limitErr) {
			return out, err
		}
		m, input, found := findSuspect(limitErr, members, inputs)
		if !found {
			return out, fmt.Errorf("rehearse the policies of revision %s: %w", rev.id, limitErr)
		}
		place := limitErr.At
		if !trace {
			place = j.traceLocation(ctx, rev, m, input)
		}
		isolated := rev.Isolate(newQuarantined(rev, m, input, limitErr, place))
		for _, q := range isolated {
			j.opts.Log.Error("put into quarantine: it is not asked in this revision", "kind", q.Kind, "name", q.Name, "revision", q.Revision, "target", q.Target, "why", q.Why, "place", q.Place)
		}
		out = append(out, isolated...)
	}
}

// findSuspect returns the member and the input that a child was evaluating when it ended.
func findSuspect(e *confine.Error, members []Member, inputs []json.RawMessage) (Member, json.RawMessage, bool) {
	for _, m := range members {
		for i, raw := range inputs {
			if e.Doing == stepName(m, i, raw) {
				return m, raw, true
			}
		}
	}
	return Member{}, nil, false
}

// traceLocation evaluates a member again with a trace and returns the line at which
// it does not return, or "" if it returns this time.
func (j *Judge) traceLocation(ctx context.Context, rev *Revision, m Member, input json.RawMessage) string {
	members := []Member{m}
	if m.Kind == KindGuard { // a guard needs the proposals of the strategies
		members = rev.members()
	}
	var limitErr *confine.Error
	if err := j.runChild(ctx, request{Source: rev.source, Members: members, Inputs: []json.RawMessage{input}, Trace: true}, &response{}); errors.As(err, &limitErr) && limitErr.Doing == stepName(m, 0, input) {
		return limitErr.At
	}
	return ""
}

func newQuarantined(rev *Revision, m Member, input json.RawMessage, e *confine.Error, place string) Quarantined {
	why := "took longer than its deadline, and could not be stopped"
	switch e.Cause {
	case confine.OverMemory:
		why = "needed more than " + e.Detail + " of memory"
	case confine.Died:
		why = "ended the process that asked it: " + e.Detail
	}
	of := namesOf(input)
	return Quarantined{Member: m, Revision: rev.id, At: time.Now().UTC(), Agent: of.Agent.String(), Target: of.Target.String(), Why: why, Place: place}
}

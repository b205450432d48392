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
)

// JudgeOptions are how policies are judged in a child process.
type JudgeOptions struct {
	Options
	// Command are the arguments with which this program calls ServeJudge.
	Command []string
	// Log is told what the child is asked; nil is silent.
	Log hclog.Logger
}

// Judge looks at policies in a child process of this program, so that what they cost,
// whatever is in them, is the child's to bear. It is safe for concurrent use.
type Judge struct{ opts JudgeOptions }

// NewJudge makes a judge. It starts nothing yet.
func NewJudge(o JudgeOptions) *Judge {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	o.Options = o.withDefaults()
	return &Judge{o}
}

// Trial is what a candidate is held against besides its own tests.
type Trial struct {
	Subjects []Subject
	// Guards is the JSON Schema of what the guards see; nil where no agent runs.
	Guards json.RawMessage
}

// Subject is an agent that would run on the candidate.
type Subject struct {
	Agent      string
	Strategies []string
	// Schema is the JSON Schema of its documents.
	Schema json.RawMessage
	// Documents are its newest, as JSON.
	Documents []json.RawMessage
}

// Try has a candidate read, compiled, checked, tested, and asked about the newest
// documents of the agents. Nil is that it is fit; the error is of type Mistakes, and
// says what the judge was doing where it did not come to an end.
func (j *Judge) Try(ctx context.Context, src Source, t Trial) error {
	var a answer
	err := j.ask(ctx, request{Try: true, Source: src, Trial: t}, &a)
	var ended *confine.Error
	switch {
	case errors.As(err, &ended):
		return mistake.Mistakes{overLimit(ended)}
	case err != nil:
		return err
	}
	if a.Skipped > 0 {
		j.opts.Log.Debug("not every document was tried in the time for it", "left", a.Skipped)
	}
	return sorted(a.Mistakes).Err()
}

// overLimit is the mistake of policies that a judge did not survive.
func overLimit(e *confine.Error) mistake.Mistake {
	m := mistake.Mistake{Message: "they were judged in a child process, and " + e.Error(), Fix: "bound what the policies compute; what runs stays as it was"}
	if e.At != "" {
		m.Message += " (" + e.At + ")"
	}
	return m
}

// ask runs a child with a request.
func (j *Judge) ask(ctx context.Context, r request, into *answer) error {
	r.Deadline, r.TestTimeout = j.opts.Deadline, j.opts.TestTimeout
	var in, out, errOut bytes.Buffer
	if err := gob.NewEncoder(&in).Encode(r); err != nil {
		return fmt.Errorf("judge the policies: %w", err)
	}
	child := confine.Child{Args: j.opts.Command, Env: childEnv(), Stdin: &in, Stdout: &out, Stderr: &errOut}
	if err := child.Run(ctx); err != nil {
		var ended *confine.Error
		if errors.As(err, &ended) || ctx.Err() != nil {
			return err
		}
		return fmt.Errorf("judge the policies in a child process: %w: %s", err, clip(strings.TrimSpace(errOut.String())))
	}
	if err := gob.NewDecoder(&out).Decode(into); err != nil {
		return fmt.Errorf("judge the policies: read the answer: %w", err)
	}
	return nil
}

// childEnv is this process's environment without what may be a secret: a judge needs
// nothing of it.
func childEnv() []string {
	var out []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "LANG", "TZ"} {
		if value, is := os.LookupEnv(name); is {
			out = append(out, name+"="+value)
		}
	}
	return out
}

// Rehearse asks strategies or guards, each alone, about documents as the agents see
// them, and isolates those that a child does not survive. What they answer is of no
// interest here. An error says that it could not be found out.
func (j *Judge) Rehearse(ctx context.Context, rev *Revision, members []Member, inputs []json.RawMessage) ([]Quarantined, error) {
	return j.rehearse(ctx, rev, members, inputs, false)
}

// Accuse is Rehearse for members of which one is known not to come back from an input.
// It traces them, for the line, and asks without a trace only where none shows.
func (j *Judge) Accuse(ctx context.Context, rev *Revision, members []Member, input json.RawMessage) ([]Quarantined, error) {
	found, err := j.rehearse(ctx, rev, members, []json.RawMessage{input}, true)
	if err != nil || len(found) > 0 {
		return found, err
	}
	return j.rehearse(ctx, rev, members, []json.RawMessage{input}, false)
}

func (j *Judge) rehearse(ctx context.Context, rev *Revision, members []Member, inputs []json.RawMessage, trace bool) ([]Quarantined, error) {
	var out []Quarantined
	for {
		members = slices.DeleteFunc(slices.Clone(members), func(m Member) bool { return rev.opts.Quarantine.holds(rev.id, m) != nil })
		if len(members) == 0 || len(inputs) == 0 {
			return out, nil
		}
		var a answer
		err := j.ask(ctx, request{Source: rev.source, Members: members, Inputs: inputs, Trace: trace}, &a)
		var ended *confine.Error
		if !errors.As(err, &ended) {
			return out, err
		}
		m, input, found := blame(ended, members, inputs)
		if !found {
			return out, fmt.Errorf("rehearse the policies of revision %s: %w", rev.id, ended)
		}
		place := ended.At
		if !trace {
			place = j.place(ctx, rev, m, input)
		}
		isolated := rev.Isolate(describe(rev, m, input, ended, place))
		for _, q := range isolated {
			j.opts.Log.Error("put into quarantine: it is not asked in this revision", "kind", q.Kind, "name", q.Name, "revision", q.Revision, "target", q.Target, "why", q.Why, "place", q.Place)
		}
		out = append(out, isolated...)
	}
}

// blame finds out whom a child was asking when it ended.
func blame(e *confine.Error, members []Member, inputs []json.RawMessage) (Member, json.RawMessage, bool) {
	for _, m := range members {
		for i, raw := range inputs {
			if e.Doing == asking(m, i, raw) {
				return m, raw, true
			}
		}
	}
	return Member{}, nil, false
}

// place looks once more, with a trace, for the line that a member does not come back
// from; "" where it comes back this time.
func (j *Judge) place(ctx context.Context, rev *Revision, m Member, input json.RawMessage) string {
	members := []Member{m}
	if m.Kind == KindGuard { // it is asked about what the strategies propose
		members = rev.members()
	}
	var ended *confine.Error
	if err := j.ask(ctx, request{Source: rev.source, Members: members, Inputs: []json.RawMessage{input}, Trace: true}, &answer{}); errors.As(err, &ended) && ended.Doing == asking(m, 0, input) {
		return ended.At
	}
	return ""
}

func describe(rev *Revision, m Member, input json.RawMessage, e *confine.Error, place string) Quarantined {
	why := "took longer than its deadline, and could not be stopped"
	switch e.Cause {
	case confine.OverMemory:
		why = "needed more than " + e.Detail + " of memory"
	case confine.Died:
		why = "ended the process that asked it: " + e.Detail
	}
	of := headOf(input)
	return Quarantined{Member: m, Revision: rev.id, At: time.Now().UTC(), Agent: of.Agent.String(), Target: of.Target.String(), Why: why, Place: place}
}

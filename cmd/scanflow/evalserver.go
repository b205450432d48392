package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentcheck"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/confine"
	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
	"github.com/scanflow-k8s/scanflow/engine/loop"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
	"github.com/scanflow-k8s/scanflow/engine/queue"
)

// serverAnswerTimeout bounds the wait for a preview, which the server bounds too.
const serverAnswerTimeout = previewTimeout + 10*time.Second

// checkServer refuses flags that have no effect with --server.
func (o *evalFlags) checkServer(cmd *cobra.Command) error {
	for name, fix := range map[string]string{
		"file": "the agent is the running one", "input": "the document is the running agent's", "explain": "write the document to a file, and explain it with --input",
		"workloads": "the targets are the running agent's", "prometheus": "the sensors are the running agent's", "mlflow": "the sensors are the running agent's",
		"over": "the sensors are the running agent's, with the samples that they have",
	} {
		if cmd.Flags().Changed(name) {
			return fmt.Errorf("--%s: has no effect with --server: %s; leave one of them out", name, fix)
		}
	}
	return nil
}

// evalRunning prints what an agent of a running scanflow would decide now, with its own policies
// or, if --policies is given, with these.
func evalRunning(ctx context.Context, cmd *cobra.Command, o *evalFlags) error {
	if err := o.checkServer(cmd); err != nil {
		return err
	}
	from, err := o.source()
	if err != nil {
		return err
	}
	local := len(o.paths) > 0
	query := url.Values{}
	for name, value := range map[string]string{"agent": o.agent, "target": o.target} {
		if value != "" && (name == "agent" || !local) { // guards over the fleet need all documents
			query.Set(name, value)
		}
	}
	if local {
		query.Set("state", "true")
	}
	o.client.timeout = serverAnswerTimeout
	confine.Doing("asking the running scanflow", serverAnswerTimeout+time.Second)
	var got previewResponse
	if err := o.client.get(ctx, previewPath, query, &got); err != nil {
		return err
	}
	p := loop.Preview{Faults: got.Faults}
	p.Problems = got.Problems
	for _, one := range got.Targets {
		p.Documents = append(p.Documents, one.Document)
		p.Decisions = append(p.Decisions, one.Decisions...)
		p.Notes = append(p.Notes, one.notes()...)
	}
	if got.Blocked != "" {
		printFaults(cmd.ErrOrStderr(), p, o.target)
		return fmt.Errorf("%s decides nothing now: %s", got.Agent, got.Blocked)
	}
	if local {
		confine.Doing("reading the policies", readingTimeout)
		rev, err := o.localPolicies(ctx, from.Read, &got)
		if err != nil {
			return err
		}
		own, err := decideLocally(ctx, rev, &got)
		if err != nil {
			return err
		}
		p.Decisions, p.Notes, p.Problems = own.Decisions, own.Notes, append(slices.DeleteFunc(p.Problems, isStrategyProblem), own.Problems...)
	}
	if err := printPreview(cmd, p, o.target); err != nil {
		return err
	}
	return malformedStatus(cmd, p, o.target)
}

// localPolicies loads policies, and compiles the agent's strategies and the guards against its
// documents.
func (o *evalFlags) localPolicies(ctx context.Context, read func(context.Context) (source.Source, error), got *previewResponse) (*policy.Store, error) {
	if got.State == nil {
		return nil, errors.New("--policies with --server: the running scanflow sent no state; it may be of an older version")
	}
	log, err := o.logs.logger()
	if err != nil {
		return nil, err
	}
	store := policy.NewStore(func() (source.Source, error) { return read(ctx) }, policy.StoreOptions{Log: log})
	if err := store.Load(ctx); err != nil {
		return nil, err
	}
	confine.Doing("holding the agent and the policies against each other", verifyTimeout)
	live := store.Live()
	var wrong mistake.Mistakes
	var present []string
	for _, s := range got.State.Strategies {
		if live.Has(s) {
			present = append(present, s)
			continue
		}
		wrong = append(wrong, mistake.Mistake{Message: fmt.Sprintf("no strategy %q in the policies, which agent %s runs", s, got.Agent), Fix: "they have " + strings.Join(live.Strategies(), ", ")})
	}
	wrong = append(wrong, live.CheckAgainst([]byte(got.Schema), present)...)
	if len(got.Guards) > 0 {
		var schema any
		if err := json.Unmarshal(got.Guards, &schema); err != nil {
			return nil, fmt.Errorf("the schema of the guards' input: %w", err)
		}
		wrong = append(wrong, live.CheckGuards(schema, live.GuardsFor(policy.Bound{Agent: got.Agent}))...)
	}
	return store, errors.Join(wrong.Err(), agentcheck.Verify(nil, live))
}

// notes returns what the strategies would remember.
func (o *evalOutput) notes() []engine.Note {
	doc, err := engine.ReadDocument(o.Document)
	if err != nil { // evalOutputs reports it
		return nil
	}
	var out []engine.Note
	for strategy, value := range o.Remembered {
		out = append(out, engine.Note{Target: doc.Target.ID(), Strategy: strategy, Remembered: true, Value: value})
	}
	return out
}

// decideLocally decides on the documents and the state of a running agent.
func decideLocally(ctx context.Context, policies *policy.Store, got *previewResponse) (loop.Preview, error) {
	var docs []*engine.Document
	plans := map[string]engine.Decision{}
	for _, one := range got.Targets {
		doc, err := engine.ReadDocument(one.Document)
		if err != nil {
			return loop.Preview{}, err
		}
		docs = append(docs, doc)
		for _, d := range one.Decisions {
			plans[planKey(d.Target, d.Primitive, d.With)] = d
		}
	}
	if len(docs) == 0 {
		return loop.Preview{}, nil
	}
	verbs := func(r *queue.Router) map[string]engine.Verb {
		out := previewVerbs(r)
		for name, v := range out {
			if _, is := v.Actuator.(unplannable); is {
				v.Actuator = plannedThere{plans: plans}
				out[name] = v
			}
		}
		return out
	}
	return loop.PreviewState(ctx, loop.Config{Policies: reportingPolicies{policies}, Verbs: verbs}, got.State, docs...)
}

func planKey(target engine.TargetID, verb string, with map[string]any) string {
	return target.Kind + "/" + target.String() + " " + verb + " " + jsonvalue.Canonical(with)
}

// plannedThere is the actuator of a verb that only the running scanflow can plan. An act that
// its own policies propose too has the plan that it was given there.
type plannedThere struct {
	unplannable
	plans map[string]engine.Decision
}

// Plan is part of engine.Actuator.
func (p plannedThere) Plan(_ context.Context, proposal engine.Proposal) (engine.Change, error) {
	d, known := p.plans[planKey(proposal.Target.ID(), proposal.Primitive, proposal.With)]
	switch {
	case known && d.Verdict == engine.Unchanged:
		return engine.Change{NoOp: true, Diff: d.Detail}, nil
	case known && d.Verdict == engine.Admitted && d.By == "":
		return engine.Change{Diff: d.Detail}, nil
	case known && d.By == "plan":
		return engine.Change{}, errors.New(d.Detail)
	}
	return engine.Change{}, fmt.Errorf("%w: every guard admits it; the running scanflow plans what its own policies propose, which this is not", engine.ErrNotPlanned)
}

// serverArgument takes the address that follows "--server" as a word of its own, since the flag
// may stand without one.
func (o *evalFlags) serverArgument(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case !cmd.Flags().Changed("server"):
		return fmt.Errorf("unknown argument %q; manifests are given with -f", args[0])
	case len(args) > 1 || o.client.server != defaultServer:
		return fmt.Errorf("unknown argument %q; --server takes one address", args[len(args)-1])
	}
	o.client.server = args[0]
	return nil
}

package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/actuators/workflowrun"
	"github.com/scanflow-k8s/scanflow/engine"
)

// WorkflowRun is the verb `workflow.run`: it runs a WorkflowTemplate, or a CronJob's Job, as
// processes and follows it to its end, of which publish informs the agents. The run goes
// on when this process ends. It is named after the change's identity, so that it is begun
// once.
func WorkflowRun(o *orchestrator.Orchestrator, publish func(context.Context, engine.Event) error) engine.Actuator {
	return workflowRunner{o, publish}
}

var (
	_ engine.Verifier = workflowRunner{}
	_ engine.Resumer  = workflowRunner{}
)

type workflowRunner struct {
	o       *orchestrator.Orchestrator
	publish func(context.Context, engine.Event) error
}

// runPlan goes from Plan to Apply and Verify. It does not hold the template, which may
// contain secrets that must not be journaled.
type runPlan struct {
	Kind       string               `json:"kind"` // of the template
	Template   string               `json:"template"`
	Hash       string               `json:"hash"` // of the template when it was planned
	Namespace  string               `json:"namespace"`
	Name       string               `json:"name"` // of the run
	Called     string               `json:"called"`
	Parameters map[string]string    `json:"parameters,omitempty"`
	Placement  verbparams.Placement `json:"placement"`
	Identity   string               `json:"identity"`
	Agent      string               `json:"agent"`
	Target     engine.TargetID      `json:"target"`
	Hops       int                  `json:"hops,omitempty"`
}

func (p *runPlan) String() string { return "run " + p.Namespace + "/" + p.Name }

func (p *runPlan) template() orchestrator.ObjectID {
	return orchestrator.ObjectID{Kind: p.Kind, NamespacedName: named(p.Namespace, p.Template)}
}

// Plan checks the template and the parameters. It returns a no-op if the change has begun
// its run already.
func (r workflowRunner) Plan(_ context.Context, p engine.Proposal) (engine.Change, error) {
	with, err := decode(p, func(with verbparams.WorkflowRun) []string { return checkPlacement(with.Placement) })
	if err != nil {
		return engine.Change{}, err
	}
	plan := runPlan{
		Kind: with.Kind, Template: with.Template, Namespace: p.Target.Namespace, Name: workflowrun.Name(with.Template, p.Identity), Called: with.ClaimName(),
		Parameters: with.Parameters, Placement: with.Placement, Identity: p.Identity, Agent: p.Agent, Target: p.Target.ID(), Hops: p.Hops,
	}
	fail := func(err error) (engine.Change, error) {
		return engine.Change{}, fmt.Errorf("%s: %s: %w", workflowrun.Verb, plan.template(), err)
	}
	template, err := r.o.Template(plan.template(), plan.Parameters)
	if err != nil {
		return fail(err)
	}
	if _, err := workflow.ResolveParameters(template, plan.Parameters); err != nil {
		return fail(err)
	}
	if err := checkOwnAffinity(template.Spec.OwnAffinity(), plan.Placement); err != nil {
		return fail(err)
	}
	if plan.Hash, err = hashOf(template); err != nil {
		return fail(err)
	}
	run, err := r.find(&plan)
	if err != nil {
		return engine.Change{}, fmt.Errorf("%s: %w", workflowrun.Verb, err)
	}
	return engine.Planned(p, run != nil, plan.diff(), plan)
}

func (p *runPlan) diff() string {
	text := fmt.Sprintf("run %s %s as %s", p.Kind, p.Template, p.Name)
	var list []string
	for _, name := range slices.Sorted(maps.Keys(p.Parameters)) {
		list = append(list, name+"="+brief(p.Parameters[name]))
	}
	if len(list) > 0 {
		text += " with " + strings.Join(list, ", ")
	}
	_, where := addPlacement(nil, workflow.Placement{}, p.Placement)
	return strings.Join(append([]string{text}, where...), "; ")
}

// brief shortens a long value for the diff.
func brief(value string) string {
	const most = 60
	if len(value) > most {
		return strings.ToValidUTF8(value[:most], "") + "..."
	}
	return value
}

func hashOf(t *workflow.Template) (string, error) {
	raw, err := json.Marshal(t)
	if err != nil {
		return "", fmt.Errorf("read it: %w", err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8]), nil
}

// find returns the run of a change, nil if there is none.
func (r workflowRunner) find(p *runPlan) (*workflow.Run, error) {
	run, ok := r.o.Run(p.Namespace, p.Name)
	switch {
	case !ok:
		return nil, nil
	case run.Identity != p.Identity:
		return nil, fmt.Errorf("%s: %w", p, workflow.ErrNameConflict)
	}
	return &run, nil
}

// Apply begins the run, unless an earlier attempt has begun it.
func (r workflowRunner) Apply(_ context.Context, c engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[runPlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	begun := engine.Outcome{Status: engine.Running, Detail: plan.String() + " has begun"}
	if run, err := r.find(&plan); err != nil || run != nil {
		return begun, err
	}
	template, err := r.o.Template(plan.template(), plan.Parameters)
	if err != nil {
		return engine.Outcome{}, fmt.Errorf("%s: %s: %w", workflowrun.Verb, plan.template(), err)
	}
	if hash, err := hashOf(template); err != nil || hash != plan.Hash {
		return engine.Outcome{}, errors.Join(err, fmt.Errorf("%s: %s was changed after this was decided; it is decided afresh", workflowrun.Verb, plan.template()))
	}
	placed, _ := addPlacement(nil, template.Spec.Placement(), plan.Placement)
	return begun, r.o.Submit(workflow.Request{
		Namespace: plan.Namespace, Name: plan.Name, Identity: plan.Identity, Template: *placed.Template(template), Parameters: plan.Parameters,
	})
}

// Resume reports whether the run was begun before this process started.
func (r workflowRunner) Resume(_ context.Context, c engine.Change) (begun bool, err error) {
	plan, err := engine.ReadPlan[runPlan](c)
	if err != nil {
		return false, err
	}
	run, err := r.find(&plan)
	if errors.Is(err, workflow.ErrNameConflict) {
		return false, nil
	}
	return run != nil, err
}

// Verify returns the progress of the run. It is done once the run has ended and the event of
// its end is published.
func (r workflowRunner) Verify(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[runPlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	run, err := r.find(&plan)
	if err != nil || run == nil {
		return engine.Outcome{Status: engine.Failed, Detail: plan.String() + " was removed before its end was seen"}, nil
	}
	detail := string(run.Phase) + ", " + run.Progress()
	if run.Message != "" {
		detail += ": " + run.Message
	}
	if !run.Phase.Ended() {
		return engine.Outcome{Status: engine.Running, Detail: detail}, nil
	}
	end := workflowrun.End{
		Identity: plan.Identity, Namespace: plan.Namespace, Run: plan.Name, ClaimName: plan.Called, Template: plan.Template,
		Agent: plan.Agent, Target: plan.Target, Hops: plan.Hops, Phase: string(run.Phase), Message: run.Message, At: run.FinishedAt, Outputs: run.Outputs,
	}
	return end.Publish(ctx, r.publish, detail, run.FinishedAt), nil
}

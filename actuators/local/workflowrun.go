package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/actuators/workflowrun"
	"github.com/scanflow-k8s/scanflow/engine"
)

// WorkflowRunActuator is the verb `workflow.run`: a WorkflowTemplate, or a CronJob's
// Job, is run as processes and followed to its end. It goes on whatever becomes of
// this process; its name comes from the change's identity, so that it is begun once.
func WorkflowRunActuator(o *Orchestrator) engine.Actuator { return workflowRunner{o} }

var (
	_ engine.Verifier = workflowRunner{}
	_ engine.Resumer  = workflowRunner{}
)

type workflowRunner struct{ o *Orchestrator }

// runPlan is what Plan tells Apply and Verify. The template itself is not in it: it may
// hold what no journal should.
type runPlan struct {
	Kind       string               `json:"kind"` // of the template
	Template   string               `json:"template"`
	Hash       string               `json:"hash"` // of the template, as it was planned on
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

// Plan looks the template up. It is a no-op where this very change has its run already.
func (r workflowRunner) Plan(_ context.Context, p engine.Proposal) (engine.Change, error) {
	w, mistakes := workflowWith(p.With)
	if err := refuse(p, mistakes); err != nil {
		return engine.Change{}, err
	}
	plan := runPlan{
		Kind: w.Kind, Template: w.Template, Namespace: p.Target.Namespace, Name: workflowrun.Name(w.Template, p.Identity), Called: w.ClaimName(),
		Parameters: w.Parameters, Placement: w.Placement, Identity: p.Identity, Agent: p.Agent, Target: p.Target.ID(), Hops: p.Hops,
	}
	fail := func(err error) (engine.Change, error) {
		return engine.Change{}, fmt.Errorf("%s: %s %s/%s: %w", workflowrun.Verb, w.Kind, plan.Namespace, w.Template, err)
	}
	template, err := r.o.templateOf(&plan)
	if err != nil {
		return fail(err)
	}
	if _, err := workflow.ParametersOf(template, plan.Parameters); err != nil {
		return fail(err)
	}
	if err := hidden(template.Spec.OwnAffinity(), plan.Placement); err != nil {
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
	for _, name := range sortedKeys(p.Parameters) {
		list = append(list, name+"="+brief(p.Parameters[name]))
	}
	if len(list) > 0 {
		text += " with " + strings.Join(list, ", ")
	}
	_, where := (*placeWish)(nil).add(workflow.Placement{}, p.Placement)
	return strings.Join(append([]string{text}, where...), "; ")
}

// brief cuts a long value, for a line that people read.
func brief(value string) string {
	const most = 60
	if len(value) > most {
		return strings.ToValidUTF8(value[:most], "") + "..."
	}
	return value
}

// templateOf is what a change runs, as it is now.
func (o *Orchestrator) templateOf(p *runPlan) (*workflow.Template, error) {
	k := key{p.Namespace, p.Template}
	o.mu.Lock()
	defer o.mu.Unlock()
	if p.Kind == kindCronJob {
		j := o.cronJobs[k]
		if j == nil {
			return nil, fmt.Errorf("there is none; these are: %s", names(keysOf(o.cronJobs)))
		}
		t := cronTemplate(j, p.Parameters)
		return o.placements[objectID{kindCronJob, k}].template(&t), nil
	}
	t := o.templates[k]
	if t == nil {
		return nil, fmt.Errorf("there is none; these are: %s", names(keysOf(o.templates)))
	}
	return o.placements[objectID{kindWorkflow, k}].template(t), nil
}

func hashOf(t *workflow.Template) (string, error) {
	raw, err := json.Marshal(t)
	if err != nil {
		return "", fmt.Errorf("read it: %w", err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8]), nil
}

// find is the run of a change; nil if there is none.
func (r workflowRunner) find(p *runPlan) (*workflow.Run, error) {
	run, ok := r.o.workflows.Run(p.Namespace, p.Name)
	switch {
	case !ok:
		return nil, nil
	case run.Identity != p.Identity:
		return nil, fmt.Errorf("%s: %w", p, workflow.ErrTaken)
	}
	return &run, nil
}

// Apply begins the run, unless an earlier attempt has.
func (r workflowRunner) Apply(_ context.Context, c engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[runPlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	begun := engine.Outcome{Status: engine.Running, Detail: plan.String() + " has begun"}
	if run, err := r.find(&plan); err != nil || run != nil {
		return begun, err
	}
	template, err := r.o.templateOf(&plan)
	if err != nil {
		return engine.Outcome{}, fmt.Errorf("%s: %s %s/%s: %w", workflowrun.Verb, plan.Kind, plan.Namespace, plan.Template, err)
	}
	if hash, err := hashOf(template); err != nil || hash != plan.Hash {
		return engine.Outcome{}, errors.Join(err, fmt.Errorf("%s: %s %s/%s was changed after this was decided; it is decided afresh", workflowrun.Verb, plan.Kind, plan.Namespace, plan.Template))
	}
	placed, _ := (*placeWish)(nil).add(template.Spec.Placement(), plan.Placement)
	_, err = r.o.workflows.Begin(workflow.Request{
		Namespace: plan.Namespace, Name: plan.Name, Identity: plan.Identity, Template: *placed.template(template), Parameters: plan.Parameters,
	})
	return begun, err
}

// Resume tells whether the run was begun before this process started.
func (r workflowRunner) Resume(_ context.Context, c engine.Change) (begun bool, err error) {
	plan, err := engine.ReadPlan[runPlan](c)
	if err != nil {
		return false, err
	}
	run, err := r.find(&plan)
	if errors.Is(err, workflow.ErrTaken) {
		return false, nil
	}
	return run != nil, err
}

// Verify tells how far the run is. Once it has ended, the agents are told, and only
// then is the act at its end.
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
	return end.Publish(ctx, r.o.Publish, detail, r.o.opts.Clock.Now()), nil
}

// WorkflowsDir is where the runs of workflows lie in a state folder.
func WorkflowsDir(state string) string { return filepath.Join(state, "workflows") }

// Runs are the workflows that run here, and those that ended not long ago, the newest
// first.
func (o *Orchestrator) Runs() []workflow.Run { return o.workflows.Runs() }

// Run is one of them; false if there is none of that name.
func (o *Orchestrator) Run(namespace, name string) (workflow.Run, bool) {
	return o.workflows.Run(namespace, name)
}

// CancelRun ends a workflow that runs here. The error is workflow.ErrUnknownRun where
// there is none of that name.
func (o *Orchestrator) CancelRun(namespace, name, why string) error {
	return o.workflows.Cancel(namespace, name, why)
}

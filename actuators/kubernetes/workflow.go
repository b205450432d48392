package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/actuators/workflowrun"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// WorkflowRun is the verb `workflow.run`: it creates an Argo Workflow from a
// WorkflowTemplate, or a Job from a CronJob, and follows it to its end. The run does not
// depend on this process. Its name derives from the change's identity, so that it is created
// once.
func WorkflowRun(c *Cluster) engine.Actuator { return workflowRunner{c} }

var (
	_ engine.Verifier = workflowRunner{}
	_ engine.Resumer  = workflowRunner{}
)

type workflowRunner struct{ *Cluster }

const workflowVerb = workflowrun.Verb

// workflowPlan identifies the run and its template. It does not contain the object to create,
// since a template may hold what must not get into the journal.
type workflowPlan struct {
	Template   templateRef          `json:"template"`
	Kind       string               `json:"kind"` // of the run
	APIVersion string               `json:"apiVersion"`
	Namespace  string               `json:"namespace"`
	Name       string               `json:"name"`
	Called     string               `json:"called"`
	Parameters map[string]string    `json:"parameters,omitempty"`
	Placement  verbparams.Placement `json:"placement"`
	Identity   string               `json:"identity"`
	Agent      string               `json:"agent"`
	Target     engine.TargetID      `json:"target"`
	Hops       int                  `json:"hops,omitempty"`
}

// templateRef is the planned version of a template.
type templateRef struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	UID        string `json:"uid"`
	Generation int64  `json:"generation"`
}

func (p *workflowPlan) String() string { return fmt.Sprintf("%s %s/%s", p.Kind, p.Namespace, p.Name) }

// Plan is a no-op where this change has its run already.
func (r workflowRunner) Plan(ctx context.Context, p engine.Proposal) (engine.Change, error) {
	var w verbparams.WorkflowRun
	if err := refuse(p, manifest.DecodeMap(p.With, &w)); err != nil {
		return engine.Change{}, err
	}
	plan := workflowPlan{
		Template:  templateRef{APIVersion: argoVersion, Kind: w.Kind, Name: w.Template},
		Namespace: p.Target.Namespace, APIVersion: argoVersion, Kind: "Workflow", Name: workflowrun.Name(w.Template, p.Identity),
		Called: w.ClaimName(), Parameters: w.Parameters, Placement: w.Placement, Identity: p.Identity, Agent: p.Agent, Target: p.Target.ID(), Hops: p.Hops,
	}
	if w.Kind == "CronJob" {
		plan.Template.APIVersion, plan.APIVersion, plan.Kind = "batch/v1", "batch/v1", "Job"
	}
	template, err := r.get(ctx, plan.Template.APIVersion, plan.Template.Kind, plan.Namespace, plan.Template.Name)
	if err != nil {
		return engine.Change{}, fmt.Errorf("%s: %w", workflowVerb, err)
	}
	plan.Template.UID, plan.Template.Generation = string(template.GetUID()), template.GetGeneration()
	if _, err := runObject(&plan, template); err != nil {
		return engine.Change{}, fmt.Errorf("%s: %s %s/%s: %w", workflowVerb, w.Kind, plan.Namespace, w.Template, err)
	}
	run, err := r.find(ctx, &plan)
	if err != nil {
		return engine.Change{}, fmt.Errorf("%s: %w", workflowVerb, err)
	}
	return engine.Planned(p, run != nil, plan.diff(), plan)
}

func (p *workflowPlan) diff() string {
	text := fmt.Sprintf("run %s %s as %s %s", p.Template.Kind, p.Template.Name, p.Kind, p.Name)
	var parameters []string
	for _, name := range slices.Sorted(maps.Keys(p.Parameters)) {
		parameters = append(parameters, name+"="+truncated(p.Parameters[name]))
	}
	if len(parameters) > 0 {
		text += " with " + strings.Join(parameters, ", ")
	}
	var where placement
	where.add(p.Placement)
	for _, e := range where.edits {
		text += "; " + e.words
	}
	return text
}

// errNotOurs is the error where an object of the run's name was not made by this change.
var errNotOurs = errors.New("an object of this name is there already, and was not made by this change")

// find returns the run of a change, or nil.
func (r workflowRunner) find(ctx context.Context, plan *workflowPlan) (*object, error) {
	run, err := r.get(ctx, plan.APIVersion, plan.Kind, plan.Namespace, plan.Name)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, err
	case run.GetLabels()[identityLabel] != plan.Identity:
		return nil, fmt.Errorf("%s: %w", plan, errNotOurs)
	}
	return run, nil
}

// Apply creates the run, unless an earlier attempt has.
func (r workflowRunner) Apply(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[workflowPlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	begun := engine.Outcome{Status: engine.Running, Detail: plan.String() + " has begun"}
	if run, err := r.find(ctx, &plan); err != nil || run != nil {
		return begun, err
	}
	template, err := r.get(ctx, plan.Template.APIVersion, plan.Template.Kind, plan.Namespace, plan.Template.Name)
	if err != nil {
		return engine.Outcome{}, err
	}
	if string(template.GetUID()) != plan.Template.UID || template.GetGeneration() != plan.Template.Generation {
		return engine.Outcome{}, fmt.Errorf("run %s %s: %w", plan.Template.Kind, plan.Template.Name, ErrMoved)
	}
	run, err := runObject(&plan, template)
	if err != nil {
		return engine.Outcome{}, err
	}
	if err := r.create(ctx, &plan, run); err != nil {
		return engine.Outcome{}, err
	}
	return begun, nil
}

func (r workflowRunner) create(ctx context.Context, plan *workflowPlan, run *unstructured.Unstructured) error {
	mapping, err := r.Client.Kinds.Find(plan.APIVersion, plan.Kind)
	if err != nil {
		return err
	}
	_, err = r.resource(mapping, plan.Namespace).Create(ctx, run, metav1.CreateOptions{FieldManager: managerOf(workflowVerb)})
	if apierrors.IsAlreadyExists(err) {
		_, err = r.find(ctx, plan)
		return err
	}
	if err != nil {
		return apiclient.Classify(fmt.Errorf("make %s: %w", plan, err))
	}
	return nil
}

// Resume reports whether the run was created before this process started.
func (r workflowRunner) Resume(ctx context.Context, c engine.Change) (begun bool, err error) {
	plan, err := engine.ReadPlan[workflowPlan](c)
	if err != nil {
		return false, err
	}
	run, err := r.find(ctx, &plan)
	if errors.Is(err, errNotOurs) {
		return false, nil
	}
	return run != nil, err
}

// Verify returns the state of the run. When it has ended, Verify publishes an event, and the
// act ends only once the event is kept.
func (r workflowRunner) Verify(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[workflowPlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	run, err := r.find(ctx, &plan)
	switch {
	case errors.Is(err, errNotOurs) || err == nil && run == nil:
		return engine.Outcome{Status: engine.Failed, Detail: plan.String() + " was deleted before its end was seen"}, nil
	case err != nil:
		return engine.Outcome{}, err
	}
	now := runStateOf(run.Unstructured)
	if !now.ended() {
		return engine.Outcome{Status: engine.Running, Detail: now.String()}, nil
	}
	return plan.end(&now).Publish(ctx, r.Publish, now.String(), r.Clock.Now()), nil
}

package local

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine"
)

// Place is the verb `place`: it sets on which nodes the pods of a Deployment may run, or
// the runs of a WorkflowTemplate or a CronJob. With move it also moves the runs that have
// begun.
func Place(o *orchestrator.Orchestrator) engine.Actuator { return placer{o} }

var (
	_ engine.Verifier = placer{}
	_ engine.Undoer   = placer{}
)

type placer struct{ o *orchestrator.Orchestrator }

// placePlan goes from Plan to Apply, Verify and Undo.
type placePlan struct {
	// Kind and Name are those of the object that is placed; "" where only runs are.
	Kind      string                          `json:"kind,omitempty"`
	Namespace string                          `json:"namespace"`
	Name      string                          `json:"name,omitempty"`
	Next      *orchestrator.PlacementOverride `json:"next,omitempty"`
	Before    *orchestrator.PlacementOverride `json:"was,omitempty"`
	Runs      []placedRun                     `json:"runs,omitempty"` // runs that have begun
	Move      bool                            `json:"move,omitempty"`
}

func (p *placePlan) object() orchestrator.ObjectID {
	return orchestrator.ObjectID{Kind: p.Kind, NamespacedName: named(p.Namespace, p.Name)}
}

// checkPlace returns the parameters that the local orchestrator does not support.
func checkPlace(with verbparams.Place) []string {
	mistakes := checkPlacement(with.Placement)
	if with.Workflow != "" && with.Remove {
		mistakes = append(mistakes, "with.remove: a run keeps no record here of who gave it a term; take the term from its template, for the runs to come")
	}
	return mistakes
}

// Plan adds to the terms of the YAML, and removes only terms that a plan added.
func (a placer) Plan(_ context.Context, p engine.Proposal) (engine.Change, error) {
	with, err := decode(p, checkPlace)
	if err != nil {
		return engine.Change{}, err
	}
	plan := placePlan{Kind: p.Target.Kind, Namespace: p.Target.Namespace, Name: p.Target.Name, Move: with.Move}
	switch {
	case with.Template != "":
		plan.Kind, plan.Name = orchestrator.KindWorkflow, with.Template
	case with.Workflow != "":
		plan.Kind, plan.Name = "", ""
	}
	var diff []string
	if plan.Kind != "" || plan.Name != "" {
		if diff, err = a.planObject(&plan, with); err != nil {
			return engine.Change{}, fmt.Errorf("place %s: %w", plan.object(), err)
		}
	}
	runs, err := a.planRuns(&plan, with)
	if err != nil {
		return engine.Change{}, fmt.Errorf("place %w", err)
	}
	if diff = append(diff, runs...); len(diff) == 0 {
		return engine.Planned(p, true, "it is placed so already", plan)
	}
	return engine.Planned(p, false, strings.Join(diff, "; "), plan)
}

func (a placer) planObject(plan *placePlan, with verbparams.Place) (diff []string, err error) {
	now, err := a.o.Placement(plan.object())
	if err != nil {
		return nil, err
	}
	if err := checkOwnAffinity(now.OwnAffinity, with.Placement); err != nil {
		return nil, err
	}
	plan.Before = now.Override.OrNil()
	if with.Remove {
		plan.Next, diff, err = removePlacement(now.Override, now.Declared, with.Placement)
	} else {
		plan.Next, diff = addPlacement(now.Override, now.Declared, with.Placement)
	}
	if len(diff) > 0 && plan.Kind == orchestrator.KindDeployment {
		diff = append(diff, "every pod is replaced")
	}
	return diff, err
}

// Apply sets the placement of the object, which makes the pods of a Deployment outdated,
// and that of the runs.
func (a placer) Apply(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[placePlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	if plan.Name != "" {
		if err := a.o.SetPlacement(plan.object(), plan.Next, plan.Before); err != nil {
			return engine.Outcome{}, fmt.Errorf("place %s: %w", plan.object(), err)
		}
	}
	for _, run := range plan.Runs {
		if err := ifActive(a.o.PlaceRun(plan.Namespace, run.Name, run.Before, run.Next, true)); err != nil {
			return engine.Outcome{}, fmt.Errorf("place run %s/%s: %w", plan.Namespace, run.Name, err)
		}
	}
	return a.Verify(ctx, c)
}

// Verify is done once the rollout of a Deployment is complete, and the steps that had to
// leave their node run elsewhere.
func (a placer) Verify(_ context.Context, c engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[placePlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	out := engine.Outcome{Status: engine.Done}
	if plan.Name != "" {
		if out, err = a.verifyObject(&plan); err != nil {
			return engine.Outcome{}, fmt.Errorf("place %s: %w", plan.object(), err)
		}
	}
	return a.verifyRuns(&plan, out), nil
}

func (a placer) verifyObject(plan *placePlan) (engine.Outcome, error) {
	now, err := a.o.Placement(plan.object())
	switch {
	case err != nil:
		return engine.Outcome{}, err
	case !now.Override.Equal(plan.Next):
		return engine.Outcome{Status: engine.Failed, Detail: orchestrator.ErrPlacementChanged.Error()}, nil
	case now.Rollout == nil:
		return engine.Outcome{Status: engine.Done, Detail: "the runs to come are placed so"}, nil
	}
	return outcome(now.Rollout.Complete(), *now.Rollout), nil
}

// Undo restores the placement of the object and of the runs. Steps that were moved stay
// where they are.
func (a placer) Undo(_ context.Context, c engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[placePlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	var errs []error
	if plan.Name != "" {
		if err := a.o.SetPlacement(plan.object(), plan.Before, plan.Next); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", plan.object(), err))
		}
	}
	for _, run := range plan.Runs {
		if err := ifActive(a.o.PlaceRun(plan.Namespace, run.Name, run.Next, run.Before, false)); err != nil {
			errs = append(errs, fmt.Errorf("run %s/%s: %w", plan.Namespace, run.Name, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return engine.Outcome{}, fmt.Errorf("undo place: %w", err)
	}
	return engine.Outcome{Status: engine.Done, Detail: "put back (was to be: " + c.Diff + ")"}, nil
}

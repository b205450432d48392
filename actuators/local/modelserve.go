package local

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine"
)

// ModelServe is the verb `model.serve`: it sets the model that the pods of a Deployment
// serve, and replaces them, new ones first.
func ModelServe(o *orchestrator.Orchestrator) engine.Actuator { return modelServer{o} }

var (
	_ engine.Verifier = modelServer{}
	_ engine.Undoer   = modelServer{}
)

type modelServer struct{ o *orchestrator.Orchestrator }

// modelPlan goes from Plan to Apply, Verify and Undo.
type modelPlan struct {
	target
	Field   orchestrator.ModelField `json:"field"`
	Version string                  `json:"version"`
	// Before is the override that this one replaces; nil where the model was the YAML's.
	Before *orchestrator.ModelOverride `json:"was"`
}

// checkModel returns the parameters that a Deployment does not support.
func checkModel(with verbparams.ModelServe) (mistakes []string) {
	if with.CanaryPercent != nil {
		mistakes = append(mistakes, "with.canaryPercent: a Deployment has none; run the new model as a workload of its own, and share out the requests by traffic")
	}
	if with.Env == "" && with.Argument == "" {
		mistakes = append(mistakes, "with.env: say how the container is told its model, by env or by argument")
	}
	return mistakes
}

// Plan compares the pod template with the requested model.
func (m modelServer) Plan(_ context.Context, p engine.Proposal) (engine.Change, error) {
	with, to, err := decodeFor(p, checkModel)
	if err != nil {
		return engine.Change{}, err
	}
	plan := modelPlan{target: to, Version: cmp.Or(with.Version, with.URI)}
	plan.Field = orchestrator.ModelField{Container: with.Container, Env: with.Env, Argument: with.Argument, Wanted: cmp.Or(with.URI, with.Version)}
	d, err := m.o.Deployment(to.key())
	if err != nil {
		return engine.Change{}, fmt.Errorf("model.serve %s: %w", to.key(), err)
	}
	now, err := plan.Field.Value(d.Template)
	if err != nil {
		return engine.Change{}, fmt.Errorf("model.serve %s: %w", to.key(), err)
	}
	plan.Before = d.Model
	var diff []string
	if now == nil || *now != plan.Field.Wanted {
		was := "nothing"
		if now != nil {
			was = *now
		}
		diff = append(diff, fmt.Sprintf("%s %s -> %s", cmp.Or(with.Env, with.Argument), was, plan.Field.Wanted))
	}
	if was := d.Template.Annotations[orchestrator.ModelAnnotation]; was != plan.Version {
		diff = append(diff, fmt.Sprintf("model %s -> %s", cmp.Or(was, "unknown"), plan.Version))
	}
	if len(diff) == 0 {
		return engine.Planned(p, true, "it serves that already", plan)
	}
	return engine.Planned(p, false, strings.Join(diff, ", "), plan)
}

// Apply sets the model in the pod template, which makes its pods outdated.
func (m modelServer) Apply(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[modelPlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	if err := m.o.SetModel(plan.key(), plan.Field, plan.Version); err != nil {
		return engine.Outcome{}, fmt.Errorf("model.serve %s: %w", plan.key(), err)
	}
	return m.Verify(ctx, c)
}

// Verify is done once the rollout is complete.
func (m modelServer) Verify(_ context.Context, c engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[modelPlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	d, err := m.o.Deployment(plan.key())
	if err != nil {
		return engine.Outcome{}, fmt.Errorf("model.serve %s: %w", plan.key(), err)
	}
	if !d.Model.Has(plan.Field, plan.Version) {
		return engine.Outcome{Status: engine.Failed, Detail: "the model was set by somebody else since"}, nil
	}
	return outcome(d.Complete(), d.Rollout), nil
}

// Undo sets the model that the pods served before.
func (m modelServer) Undo(_ context.Context, c engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[modelPlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	if err := m.o.RestoreModel(plan.key(), plan.Field, plan.Version, plan.Before); err != nil {
		return engine.Outcome{}, err
	}
	return engine.Outcome{Status: engine.Done, Detail: "put back (was to be: " + c.Diff + ")"}, nil
}

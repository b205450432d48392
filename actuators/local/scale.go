package local

import (
	"context"
	"fmt"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine"
)

// Scale is the verb `scale`: it sets the replicas of a Deployment.
func Scale(o *orchestrator.Orchestrator) engine.Actuator { return scaler{o} }

var _ engine.Verifier = scaler{}

type scaler struct{ o *orchestrator.Orchestrator }

// scalePlan goes from Plan to Apply and Verify.
type scalePlan struct {
	target
	Replicas int `json:"replicas"`
}

// Plan compares the desired replicas with the requested ones.
func (s scaler) Plan(_ context.Context, p engine.Proposal) (engine.Change, error) {
	with, to, err := decodeFor[verbparams.Scale](p)
	if err != nil {
		return engine.Change{}, err
	}
	d, err := s.o.Deployment(to.key())
	if err != nil {
		return engine.Change{}, fmt.Errorf("scale %s: %w", to.key(), err)
	}
	return engine.Planned(p, d.Desired == with.Replicas, fmt.Sprintf("replicas %d -> %d", d.Desired, with.Replicas), scalePlan{to, with.Replicas})
}

// Apply sets the replicas.
func (s scaler) Apply(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[scalePlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	if err := s.o.SetReplicas(plan.key(), plan.Replicas); err != nil {
		return engine.Outcome{}, fmt.Errorf("scale %s: %w", plan.key(), err)
	}
	return s.Verify(ctx, c)
}

// Verify is done once as many pods are ready as were requested, and no other is left.
func (s scaler) Verify(_ context.Context, c engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[scalePlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	d, err := s.o.Deployment(plan.key())
	if err != nil {
		return engine.Outcome{}, fmt.Errorf("scale %s: %w", plan.key(), err)
	}
	if d.Desired != plan.Replicas {
		return engine.Outcome{Status: engine.Failed, Detail: fmt.Sprintf("replicas were set to %d by somebody else", d.Desired)}, nil
	}
	// An update may be under way at the same time: its outdated pods count too.
	return outcome(d.UpdatedReady+d.OutdatedReady == d.Desired && d.Updated+d.Outdated == d.Desired, d.Rollout), nil
}

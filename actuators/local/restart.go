package local

import (
	"context"
	"fmt"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine"
)

// Restart is the verb `restart`: it replaces every pod of a Deployment, new ones first.
func Restart(o *orchestrator.Orchestrator) engine.Actuator { return restarter{o} }

var _ engine.Verifier = restarter{}

type restarter struct{ o *orchestrator.Orchestrator }

type restartPlan struct {
	target
	Identity string `json:"identity"`
}

// Plan returns a no-op if this change has restarted the pods already.
func (r restarter) Plan(_ context.Context, p engine.Proposal) (engine.Change, error) {
	_, to, err := decodeFor[verbparams.Restart](p)
	if err != nil {
		return engine.Change{}, err
	}
	d, err := r.o.Deployment(to.key())
	if err != nil {
		return engine.Change{}, fmt.Errorf("restart %s: %w", to.key(), err)
	}
	return engine.Planned(p, p.Identity != "" && d.Restart == p.Identity, fmt.Sprintf("pods to replace, one after another: %d", d.Updated+d.Outdated),
		restartPlan{to, p.Identity})
}

// Apply marks the pod template with the change's identity, which makes its pods outdated.
func (r restarter) Apply(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[restartPlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	if plan.Identity == "" {
		return engine.Outcome{}, fmt.Errorf("restart %s: the change has no identity, by which it could be told from an earlier one", plan.key())
	}
	if err := r.o.Restart(plan.key(), plan.Identity); err != nil {
		return engine.Outcome{}, fmt.Errorf("restart %s: %w", plan.key(), err)
	}
	return r.Verify(ctx, c)
}

// Verify is done once the rollout is complete.
func (r restarter) Verify(_ context.Context, c engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[restartPlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	d, err := r.o.Deployment(plan.key())
	if err != nil {
		return engine.Outcome{}, fmt.Errorf("restart %s: %w", plan.key(), err)
	}
	return outcome(d.Complete(), d.Rollout), nil
}

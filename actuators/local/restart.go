package local

import (
	"context"
	"errors"
	"fmt"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/actuators/onepod"
	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine"
)

// Restart is the verb `restart`: it replaces every pod of a Deployment, new ones first, or one
// pod.
func Restart(o *orchestrator.Orchestrator) engine.Actuator { return restarter{o} }

var _ engine.Resumer = restarter{}

type restarter struct{ o *orchestrator.Orchestrator }

type restartPlan struct {
	target
	Identity string `json:"identity"`
}

// Plan returns a no-op if this change has restarted the pods already.
func (r restarter) Plan(_ context.Context, p engine.Proposal) (engine.Change, error) {
	with, to, err := decodeFor[verbparams.Restart](p)
	if err != nil {
		return engine.Change{}, err
	}
	if with.Pod != nil {
		return r.planPod(p, to, *with.Pod)
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
	if ofOnePod(&c) {
		return r.applyPod(ctx, c)
	}
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
func (r restarter) Verify(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	if ofOnePod(&c) {
		return r.verifyPod(ctx, c)
	}
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

// Resume reports whether the pods are being replaced already, or the pod of the plan is gone.
func (r restarter) Resume(_ context.Context, c engine.Change) (begun bool, err error) {
	if !ofOnePod(&c) {
		plan, err := engine.ReadPlan[restartPlan](c)
		if err != nil {
			return false, err
		}
		d, err := r.o.Deployment(plan.key())
		return err == nil && plan.Identity != "" && d.Restart == plan.Identity, ignoreUnknown(err)
	}
	plan, err := engine.ReadPlan[podPlan](c)
	if err != nil {
		return false, err
	}
	pods, err := r.o.OwnPods(plan.key())
	there, terminates := onepod.State(pods, plan.UID)
	return err == nil && (!there || terminates), ignoreUnknown(err)
}

// ignoreUnknown drops the error for a Deployment that is run no more: its act has not begun.
func ignoreUnknown(err error) error {
	if errors.Is(err, orchestrator.ErrUnknownWorkload) {
		return nil
	}
	return err
}

// ofOnePod reports whether a restart is of one pod.
func ofOnePod(c *engine.Change) bool { return c.With["pod"] != nil }

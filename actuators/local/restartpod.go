package local

import (
	"context"
	"errors"
	"fmt"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/actuators/onepod"
	"github.com/scanflow-k8s/scanflow/engine"
)

// podPlan is the restart of one pod, by another that takes its place.
type podPlan struct {
	target
	Pod string `json:"pod"`
	UID string `json:"uid"`
	// Ready is how many pods are ready once another has taken its place, unless the Deployment
	// is scaled down meanwhile.
	Ready int `json:"ready"`
}

// planPod plans the restart of one pod.
func (r restarter) planPod(p engine.Proposal, to target, name string) (engine.Change, error) {
	pods, err := r.o.OwnPods(to.key())
	if err != nil {
		return engine.Change{}, fmt.Errorf("restart pod %s of %s: %w", name, to.key(), err)
	}
	pod, err := onepod.Choose(&p.Target, pods, name)
	if err != nil {
		return engine.Change{}, fmt.Errorf("restart pod %s of %s: %w", name, to.key(), err)
	}
	if pod.Terminating {
		return engine.Planned(p, true, fmt.Sprintf("pod %s is being ended already", name), podPlan{to, name, pod.UID, 0})
	}
	active, ready := onepod.Count(pods)
	plan := podPlan{to, name, pod.UID, onepod.ReadyAfter(pods, pod)}
	return engine.Planned(p, false, fmt.Sprintf("replace pod %s, one of %d, %d ready", name, active, ready), plan)
}

// applyPod replaces the pod of the plan: to apply it again does nothing.
func (r restarter) applyPod(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[podPlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	if err := r.o.ReplacePod(plan.key(), plan.UID); err != nil {
		return engine.Outcome{}, fmt.Errorf("restart pod %s of %s: %w", plan.Pod, plan.key(), err)
	}
	return r.verifyPod(ctx, c)
}

// verifyPod is done once the pod is on its way out and as many pods are ready as before.
func (r restarter) verifyPod(_ context.Context, c engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[podPlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	d, err := r.o.Deployment(plan.key())
	if errors.Is(err, orchestrator.ErrUnknownWorkload) {
		return engine.Outcome{Status: engine.Failed, Detail: "the Deployment was removed"}, nil
	}
	if err != nil {
		return engine.Outcome{}, err
	}
	pods, err := r.o.OwnPods(plan.key())
	if err != nil {
		return engine.Outcome{}, err
	}
	wanted := min(plan.Ready, d.Desired)
	_, ready := onepod.Count(pods)
	there, terminates := onepod.State(pods, plan.UID)
	detail := fmt.Sprintf("pod %s is gone, %d of %d ready", plan.Pod, ready, wanted)
	if there {
		detail = fmt.Sprintf("pod %s is being ended, %d of %d ready", plan.Pod, ready, wanted)
	}
	if ready >= wanted && (!there || terminates) {
		return engine.Outcome{Status: engine.Done, Detail: detail}, nil
	}
	return engine.Outcome{Status: engine.Running, Detail: detail, Obstacle: d.Obstacle()}, nil
}

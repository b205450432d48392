package kubernetes

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/scanflow-k8s/scanflow/actuators/onepod"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// podPlan is the eviction of one pod. Its workload's controller makes another in its place.
type podPlan struct {
	Pod string `json:"pod"`
	UID string `json:"uid"`
	// Ready is how many pods are ready once another has taken its place, unless the workload is
	// scaled down meanwhile. Each is how many pods a replica has.
	Ready int `json:"ready"`
	Each  int `json:"each"`
}

// planPod plans the restart of one pod. An eviction that a disruption budget forbids is refused
// here, by a dry run, so that no act waits for the budget.
func (r restarter) planPod(ctx context.Context, p engine.Proposal, name string) (engine.Change, error) {
	t := p.Target
	refusal := func(format string, args ...any) (engine.Change, error) {
		return engine.Change{}, fmt.Errorf("restart pod %s of %s %s: %w", name, t.Kind, t.ID(), fmt.Errorf(format, args...))
	}
	if t.Kind == "Job" && targetGroup(t) == "batch" {
		return refusal("a Job counts it as a failure (spec.backoffLimit); start another run by the primitive `workflow.run`")
	}
	pods, desired, err := r.podsOfTarget(ctx, t)
	if err != nil {
		return refusal("%w", err)
	}
	pod, err := onepod.Choose(&t, pods, name)
	if err != nil {
		return refusal("%w", err)
	}
	if pod.Terminating {
		return engine.Planned(p, true, fmt.Sprintf("pod %s is being deleted already", name), podPlan{Pod: name, UID: pod.UID})
	}
	if pod.Orphan {
		return refusal("it has no controller in metadata.ownerReferences, so nothing would make another in its place")
	}
	active, ready := onepod.Count(pods)
	plan := podPlan{Pod: name, UID: pod.UID, Ready: onepod.ReadyAfter(pods, pod), Each: 1}
	if group := targetGroup(t); desired > 0 && strings.Contains(group, ".") && group != argoGroup {
		plan.Each = max(1, active/desired)
	}
	if err := r.mayEvict(ctx, t, plan); err != nil {
		return refusal("%w", err)
	}
	return engine.Planned(p, false, fmt.Sprintf("evict pod %s, one of %d, %d ready", name, active, ready), plan)
}

// mayEvict returns why the API server would not evict a pod. A webhook that takes no dry runs
// says nothing of the eviction.
func (r restarter) mayEvict(ctx context.Context, t engine.Target, plan podPlan) error {
	err := r.evict(ctx, eviction{t.Namespace, plan.Pod, plan.UID, "restart"}, "All")
	switch {
	case budgetsOf(err) != "":
		return err // final: it is planned again at the next turn
	case pastEvicting(err):
		return fmt.Errorf("it is gone, or another has its name by now: %w", err)
	case apierrors.IsBadRequest(err):
		return nil
	}
	return apiclient.Classify(err)
}

// applyPod evicts the pod of the plan, and no other of its name: to apply it again does nothing.
func (r restarter) applyPod(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[podPlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	err = r.evict(ctx, eviction{c.Target.Namespace, plan.Pod, plan.UID, "restart"})
	switch {
	case pastEvicting(err):
		return engine.Outcome{Status: engine.Running, Detail: "pod " + plan.Pod + " was gone already"}, nil
	case err != nil:
		return engine.Outcome{}, apiclient.Classify(fmt.Errorf("evict pod %s/%s: %w", c.Target.Namespace, plan.Pod, err))
	}
	return engine.Outcome{Status: engine.Running, Detail: "pod " + plan.Pod + " is evicted"}, nil
}

// verifyPod is done once the pod is on its way out and as many pods are ready as before.
func (r restarter) verifyPod(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	plan, err := engine.ReadPlan[podPlan](c)
	if err != nil {
		return engine.Outcome{}, err
	}
	pods, desired, err := r.podsOfTarget(ctx, c.Target)
	if apierrors.IsNotFound(err) {
		return engine.Outcome{Status: engine.Failed, Detail: fmt.Sprintf("the %s was deleted", c.Target.Kind)}, nil
	}
	if err != nil {
		return engine.Outcome{}, err
	}
	wanted := min(plan.Ready, desired*plan.Each)
	_, ready := onepod.Count(pods)
	there, terminates := onepod.State(pods, plan.UID)
	detail := fmt.Sprintf("pod %s is gone, %d of %d ready", plan.Pod, ready, wanted)
	switch {
	case there && !terminates:
		detail = fmt.Sprintf("pod %s is evicted, and still there", plan.Pod)
	case there:
		detail = fmt.Sprintf("pod %s is being deleted, %d of %d ready", plan.Pod, ready, wanted)
	}
	if ready >= wanted && (!there || terminates) {
		return engine.Outcome{Status: engine.Done, Detail: detail}, nil
	}
	w := waiting{id: c.Target.ID(), apiVersion: c.Target.APIVersion, identity: c.Identity, wanted: wanted}
	if now, scalable := r.View.Scalable(w.id); scalable {
		w.failed, w.firm = now.Failed, now.FailedFirmly
	}
	return engine.Outcome{Status: engine.Running, Detail: detail, Obstacle: r.obstacle(ctx, &w)}, nil
}

// podsOfTarget returns a target's pods, and how many replicas it wants. The error satisfies
// apierrors.IsNotFound where the target does not exist; otherwise it is temporary.
func (c *Cluster) podsOfTarget(ctx context.Context, t engine.Target) ([]engine.OwnPod, int, error) {
	if pods, desired, known := c.View.OwnPods(t.ID()); known {
		return pods, desired, nil
	}
	if _, err := c.get(ctx, t.APIVersion, t.Kind, t.Namespace, t.Name); err != nil {
		return nil, 0, err
	}
	return nil, 0, engine.Retry(fmt.Errorf("the pods of %s %s are not listed yet", t.Kind, t.ID()))
}

func targetGroup(t engine.Target) string {
	return Subject{APIVersion: t.APIVersion}.Group()
}

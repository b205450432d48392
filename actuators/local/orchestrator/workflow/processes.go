package workflow

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
)

// Processes runs the process of each step somewhere else than under this process: as
// pods of a cluster.
type Processes interface {
	// Start runs a process, or finds it where it was started before. It returns at once.
	// report gets every new status and the node, in order, from a goroutine of its own;
	// with NeverBegan as its reason an end has the step begun anew, as if it had not been.
	Start(t StepProcess, report func(s pod.Status, node string)) (Process, error)
}

// NeverBegan is the reason of a status that ends what has not run.
const NeverBegan = "NeverBegan"

// Process is one that was started.
type Process interface {
	// Stop ends it, as pod.Pod's does.
	Stop(ctx context.Context) error
	// Detach lets it go on without us.
	Detach()
}

// StepProcess is a process of a step.
type StepProcess struct {
	pod.Config
	Run      string // its name
	Identity string // whose run it is
	Step     string // its path; "" for the entrypoint
	Attempt  int    // counted from 0
	Retries  bool   // the step has a retryStrategy
	// Begun says that it ran already: one that is not found is gone.
	Begun bool
}

// start runs the process of an attempt. Its reports wait for mu, which is held.
func (r *run) start(n *node, i int, a *attempt, begun bool) (Process, error) {
	c, err := r.config(n, i, a)
	if err != nil {
		return nil, err
	}
	if others := r.runner.opts.Processes; others != nil {
		p := StepProcess{
			Config: c, Run: r.rec.Name, Identity: r.rec.Identity, Step: n.path, Attempt: i, Retries: n.template.RetryStrategy != nil, Begun: begun,
		}
		return others.Start(p, func(s pod.Status, node string) { r.observeElsewhere(n, i, a, s, node) })
	}
	p, err := pod.Start(c)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// observeElsewhere takes the status of a process that runs somewhere else: it may wait
// there before it begins.
func (r *run) observeElsewhere(n *node, i int, a *attempt, s pod.Status, node string) {
	r.mu.Lock()
	step := r.step(n)
	if node != "" && a.Node != node {
		a.Node, r.dirty = node, true
	}
	switch last := step.last() == a; {
	case !last || a.Phase.Ended():
	case s.Reason == NeverBegan && (s.Phase == corev1.PodFailed):
		step.Attempts = step.Attempts[:i]
		delete(r.pods, a.UID)
		delete(r.going, a.UID)
		r.pending(step, s.Message)
		r.dirty = true
		r.save()
		r.mu.Unlock()
		r.release(a)
		r.poke()
		return
	case s.Phase == corev1.PodPending:
		if a.Phase != Pending {
			a.Phase, r.dirty = Pending, true
		}
		r.pending(step, s.Message)
	case a.Phase == Pending:
		a.Phase, step.Phase, step.Message, r.dirty = Running, Running, "", true
	}
	r.mu.Unlock()
	r.observe(n, i, a, s)
}

package workflow

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
)

// Launcher starts the processes of steps remotely, as pods of a cluster.
type Launcher interface {
	// Start starts a process, or finds it if it was started before. It returns at once.
	// report is called with every new status and the node, in order, from a goroutine of
	// its own. An end with ReasonNeverStarted doesn't count as an attempt.
	Start(t StepProcess, report func(s pod.Status, node string)) (Process, error)
}

// ReasonNeverStarted is the reason in the last status of a process that never ran.
const ReasonNeverStarted = "NeverBegan"

// Process is a started process.
type Process interface {
	// Stop terminates it, like pod.Pod.Stop.
	Stop(ctx context.Context) error
	// Detach stops watching it, and leaves it running.
	Detach()
}

// StepProcess describes the process of an attempt.
type StepProcess struct {
	pod.Config
	Run      string // the name of the run
	Identity string // the identity of the run
	Step     string // the path of the step; "" for the entrypoint
	Attempt  int    // counts from 0
	Retries  bool   // the step has a retryStrategy
	// Started means that the process has run already: if it isn't found, it is lost.
	Started bool
}

// start starts the process of an attempt. mu is held, and the process' reports wait for it.
func (r *run) start(n *node, i int, a *attempt, started bool) (Process, error) {
	c, err := r.config(n, i, a)
	if err != nil {
		return nil, err
	}
	if launcher := r.runner.opts.Launcher; launcher != nil {
		p := StepProcess{
			Config: c, Run: r.rec.Name, Identity: r.rec.Identity, Step: n.path, Attempt: i, Retries: n.template.RetryStrategy != nil, Started: started,
		}
		return launcher.Start(p, func(s pod.Status, node string) { r.onRemoteStatus(n, i, a, s, node) })
	}
	p, err := pod.Start(c)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// onRemoteStatus handles a status of a remote process, which may be pending before it runs.
func (r *run) onRemoteStatus(n *node, i int, a *attempt, s pod.Status, node string) {
	r.mu.Lock()
	step := r.step(n)
	if node != "" && a.Node != node {
		a.Node, r.dirty = node, true
	}
	switch last := step.last() == a; {
	case !last || a.Phase.Ended():
	case s.Reason == ReasonNeverStarted && (s.Phase == corev1.PodFailed):
		step.Attempts = step.Attempts[:i]
		delete(r.pods, a.UID)
		delete(r.terminating, a.UID)
		r.setPending(step, s.Message)
		r.dirty = true
		r.save()
		r.mu.Unlock()
		r.release(a)
		r.wakeUp()
		return
	case s.Phase == corev1.PodPending:
		if a.Phase != Pending {
			a.Phase, r.dirty = Pending, true
		}
		r.setPending(step, s.Message)
	case a.Phase == Pending:
		a.Phase, step.Phase, step.Message, r.dirty = Running, Running, "", true
	}
	r.mu.Unlock()
	r.onStatus(n, i, a, s)
}

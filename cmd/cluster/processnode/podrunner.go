package processnode

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	corev1 "k8s.io/api/core/v1"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/engine"
)

const (
	retryInterval = time.Second     // after a failed request, or while a ConfigMap is missing
	deletedGrace  = 2 * time.Second // the grace period of a pod whose object was force-deleted
	volumesDir    = "volumes"
)

// The causes of stopCtx.
var (
	errDeleted       = errors.New("the pod was deleted")
	errObjectDeleted = errors.New("the pod's object is gone")
	errStopped       = errors.New("the node stops")
)

// podRunner runs one pod. One goroutine runs the containers, another reports the status,
// so that a slow API server never delays a restart.
type podRunner struct {
	node *node
	log  hclog.Logger
	dir  string
	wake chan struct{} // of capacity 1; wakes the reporting goroutine

	stopCtx       context.Context // ends, with its cause, when the containers must stop
	cancelStop    context.CancelCauseFunc
	deletedCtx    context.Context // ends when the object is deleted
	cancelDeleted context.CancelFunc

	mu     sync.Mutex
	object *corev1.Pod // the newest
	state  state
}

func newPodRunner(n *node, p *corev1.Pod) *podRunner {
	r := &podRunner{
		node: n, object: p, wake: make(chan struct{}, 1), log: n.Log.With("pod", p.Namespace+"/"+p.Name),
		dir: filepath.Join(n.Dir, fmt.Sprintf("%s_%s_%s", p.Namespace, p.Name, p.UID)),
	}
	r.stopCtx, r.cancelStop = context.WithCancelCause(context.Background())
	r.deletedCtx, r.cancelDeleted = context.WithCancel(context.Background())
	r.state = initialState(p, n.Clock.Now())
	return r
}

// setObject sets the pod's newest object.
func (r *podRunner) setObject(p *corev1.Pod) {
	r.mu.Lock()
	r.object = p
	r.mu.Unlock()
	r.wakeUp()
}

func (r *podRunner) markDeleted() {
	r.cancelDeleted()
	r.wakeUp()
}

func (r *podRunner) wakeUp() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// change updates the state and wakes the reporting goroutine.
func (r *podRunner) change(f func(*state)) {
	r.mu.Lock()
	f(&r.state)
	r.mu.Unlock()
	r.wakeUp()
}

func (r *podRunner) latest() *corev1.Pod {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.object
}

// run runs the pod on this node. It returns when the containers have ended, and the object
// is deleted or the node stops and has reported the end.
func (r *podRunner) run() {
	done := make(chan struct{})
	go func() { defer close(done); r.runContainers() }()
	defer func() { <-done }()
	defer r.cancelStop(errStopped)
	reporter := reporter{podRunner: r}
	for {
		object := r.latest()
		stopping := r.node.draining.Err() != nil
		switch {
		case r.deletedCtx.Err() != nil:
			r.cancelStop(errObjectDeleted)
		case object.DeletionTimestamp != nil:
			r.cancelStop(errDeleted)
		case stopping:
			r.cancelStop(errStopped)
		}
		ended := false
		select {
		case <-done:
			ended = true
		default:
		}
		var err error
		if r.deletedCtx.Err() == nil {
			err = reporter.report(object, ended)
		}
		killing := r.node.killCtx.Err() != nil
		if ended && (r.deletedCtx.Err() != nil || stopping && err == nil || killing) {
			return
		}
		var retry <-chan time.Time
		stopTimer := func() {}
		if err != nil {
			r.log.Warn("can't report the pod", "error", err)
			retry, stopTimer = r.node.Clock.Timer(retryInterval)
		}
		var containersEnd, drain, kill <-chan struct{} // nil once they have been handled
		if !ended {
			containersEnd = done
		}
		if !stopping {
			drain = r.node.draining.Done()
		}
		if !killing {
			kill = r.node.killCtx.Done()
		}
		select {
		case <-r.wake:
		case <-retry:
		case <-containersEnd:
		case <-drain:
		case <-kill:
		}
		stopTimer()
	}
}

// runContainers runs the containers until they end or the pod is stopped.
func (r *podRunner) runContainers() {
	object := r.latest()
	r.mu.Lock()
	ended := object.DeletionTimestamp != nil || r.state.ended()
	r.mu.Unlock()
	if ended {
		return // the pod of an earlier run of the node, whose processes have ended with it
	}
	defer func() {
		if cause := context.Cause(r.stopCtx); errors.Is(cause, errStopped) {
			r.change(func(s *state) { s.interrupted = true })
		}
	}()
	ip, err := r.node.addresses.allocate(object.Status.PodIP)
	if err != nil {
		r.waitUntilStopped("NoAddress", err)
		return
	}
	defer r.node.addresses.release(ip)
	r.change(func(s *state) { s.ip = ip })
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		r.waitUntilStopped("NoFolder", err)
		return
	}
	defer func() {
		if err := os.RemoveAll(filepath.Join(r.dir, volumesDir)); err != nil {
			r.log.Warn("can't remove the pod's volumes", "error", err)
		}
	}()
	configs, ok := r.prepare(ip)
	if !ok {
		return
	}
	for i, c := range configs {
		if !r.runContainer(i, c) {
			return
		}
	}
}

// runContainer runs one container to its end, and reports whether the next one may start.
func (r *podRunner) runContainer(i int, c pod.Config) bool {
	c.OnChange = func(s pod.Status) { r.change(func(now *state) { now.containers[i].observe(s) }) }
	p, err := pod.Start(c)
	if err != nil {
		r.waitUntilStopped("Unsupported", err)
		return false
	}
	select {
	case <-p.Done():
	case <-r.stopCtx.Done():
		ctx, cancel := context.WithTimeout(context.Background(), r.gracePeriod())
		defer cancel()
		defer context.AfterFunc(r.deletedCtx, func() { r.killAfterGrace(cancel) })()
		defer context.AfterFunc(r.node.killCtx, cancel)()
		if err := p.Stop(ctx); err != nil {
			r.log.Error("can't stop the pod", "error", err)
		}
		return false
	}
	return p.Status().Phase == corev1.PodSucceeded
}

// killAfterGrace kills a pod whose object was deleted while it was being stopped.
func (r *podRunner) killAfterGrace(kill context.CancelFunc) {
	engine.Sleep(r.node.killCtx, r.node.Clock, deletedGrace)
	kill()
}

// gracePeriod returns the grace period of the containers, which is at most the pod's own.
func (r *podRunner) gracePeriod() time.Duration {
	object := r.latest()
	period := pod.GracePeriod(&object.Spec)
	switch cause := context.Cause(r.stopCtx); {
	case errors.Is(cause, errObjectDeleted):
		return min(period, deletedGrace)
	case errors.Is(cause, errDeleted) && object.DeletionGracePeriodSeconds != nil:
		return min(period, time.Duration(*object.DeletionGracePeriodSeconds)*time.Second)
	}
	return period
}

// waitUntilStopped leaves the pod Pending with a reason until it is stopped.
func (r *podRunner) waitUntilStopped(reason string, err error) {
	r.setWaiting(reason, err)
	<-r.stopCtx.Done()
}

// setWaiting reports why the pod can't run, in its status and by an event.
func (r *podRunner) setWaiting(reason string, err error) {
	r.mu.Lock()
	unchanged := r.state.waiting != nil && r.state.waiting.Message == err.Error()
	r.mu.Unlock()
	if unchanged {
		return
	}
	r.log.Warn("pod can't run", "reason", reason, "error", err)
	r.change(func(s *state) { s.waiting = &corev1.ContainerStateWaiting{Reason: reason, Message: err.Error()} })
	if err := r.recordEvent(reason, err.Error()); err != nil {
		r.log.Warn("can't record an event", "error", err)
	}
}

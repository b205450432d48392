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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
)

const (
	retryInterval = time.Second     // after a request that failed, or a ConfigMap that is missing
	deletedGrace  = 2 * time.Second // for a pod whose object was removed by force
	volumesDir    = "volumes"
)

// Why a pod's containers are ended.
var (
	errDeleted       = errors.New("the pod was deleted")
	errObjectDeleted = errors.New("the pod's object is gone")
	errStopped       = errors.New("the node stops")
)

// runner has one pod. One goroutine works (prepare, init containers, container),
// the other reports, so that a slow API server never delays a restart.
type podRunner struct {
	node *node
	log  hclog.Logger
	dir  string
	wake chan struct{} // holds one: there is something new to look at

	stopCtx       context.Context // ends, with its cause, when the containers are to end
	cancelStop    context.CancelCauseFunc
	deletedCtx    context.Context // ends when the object is gone: nobody waits any more
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

// see takes the pod's newest object.
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

// change alters what is reported.
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

// live is the pod's whole life on this node: it returns when the object is gone, or
// when the node stops and has said how the pod ended.
func (r *podRunner) run() {
	worked := make(chan struct{})
	go func() { defer close(worked); r.runContainers() }()
	defer func() { <-worked }()
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
		case <-worked:
			ended = true
		default:
		}
		var err error
		if r.deletedCtx.Err() == nil {
			err = reporter.report(object, ended)
		}
		over := r.node.killCtx.Err() != nil
		if ended && (r.deletedCtx.Err() != nil || stopping && err == nil || over) {
			return
		}
		var retry <-chan time.Time
		stopTimer := func() {}
		if err != nil {
			r.log.Warn("can't report the pod", "error", err)
			retry, stopTimer = r.node.Clock.Timer(retryInterval)
		}
		var ending <-chan struct{}
		if !ended {
			ending = worked
		}
		var draining, done <-chan struct{}
		if !stopping {
			draining = r.node.draining.Done()
		}
		if !over {
			done = r.node.killCtx.Done()
		}
		select {
		case <-r.wake:
		case <-retry:
		case <-ending:
		case <-draining:
		case <-done:
		}
		stopTimer()
	}
}

// work runs the containers to their end.
func (r *podRunner) runContainers() {
	object := r.latest()
	r.mu.Lock()
	over := object.DeletionTimestamp != nil || r.state.ended()
	r.mu.Unlock()
	if over {
		return // an earlier run of the node left it; no process of it lives
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

// run runs one container to its end, and tells whether the next may begin.
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

// hasten ends the grace of a pod whose object is gone.
func (r *podRunner) killAfterGrace(kill context.CancelFunc) {
	r.node.pause(r.node.killCtx, deletedGrace)
	kill()
}

// grace is how long the containers may take to end, never longer than their own grace period.
func (r *podRunner) gracePeriod() time.Duration {
	object := r.latest()
	own := pod.GracePeriod(&object.Spec)
	switch cause := context.Cause(r.stopCtx); {
	case errors.Is(cause, errObjectDeleted):
		return min(own, deletedGrace)
	case errors.Is(cause, errDeleted) && object.DeletionGracePeriodSeconds != nil:
		return min(own, time.Duration(*object.DeletionGracePeriodSeconds)*time.Second)
	}
	return own
}

// prepare makes the containers' configurations. It waits for ConfigMaps and Secrets
// that are missing, as a kubelet does, and refuses what can't be honoured.
func (r *podRunner) prepare(ip string) ([]pod.Config, bool) {
	for {
		configs, err := r.configs(r.stopCtx, ip)
		var refused *UnsupportedError
		switch {
		case err == nil:
			r.change(func(s *state) { s.waiting = nil })
			return configs, true
		case r.stopCtx.Err() != nil:
			return nil, false
		case errors.As(err, &refused):
			r.waitUntilStopped("Unsupported", err)
			return nil, false
		}
		r.setWaiting("CreateContainerConfigError", err)
		if !r.node.pause(r.stopCtx, retryInterval) {
			return nil, false
		}
	}
}

// refuse leaves the pod Pending until it is deleted, and says why.
func (r *podRunner) waitUntilStopped(reason string, err error) {
	r.setWaiting(reason, err)
	<-r.stopCtx.Done()
}

func (r *podRunner) setWaiting(reason string, err error) {
	r.mu.Lock()
	retry := r.state.waiting != nil && r.state.waiting.Message == err.Error()
	r.mu.Unlock()
	if retry {
		return
	}
	r.log.Warn("pod can't run", "reason", reason, "error", err)
	r.change(func(s *state) { s.waiting = &corev1.ContainerStateWaiting{Reason: reason, Message: err.Error()} })
	if err := r.recordEvent(reason, err.Error()); err != nil {
		r.log.Warn("can't record an event", "error", err)
	}
}

// warn records an event on the pod.
func (r *podRunner) recordEvent(reason, message string) error {
	object := r.latest()
	now := metav1.NewTime(r.node.Clock.Now())
	if len(message) > 1024 { // the API server takes no more
		message = message[:1021] + "..."
	}
	_, err := r.node.core.Events(object.Namespace).Create(r.node.killCtx, &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{GenerateName: object.Name + ".", Namespace: object.Namespace},
		InvolvedObject: corev1.ObjectReference{
			APIVersion: "v1", Kind: "Pod", Namespace: object.Namespace, Name: object.Name, UID: object.UID, ResourceVersion: object.ResourceVersion,
		},
		Type: corev1.EventTypeWarning, Reason: reason, Message: message, FirstTimestamp: now, LastTimestamp: now, Count: 1,
		Source: corev1.EventSource{Component: "process-node", Host: r.node.Name},
	}, metav1.CreateOptions{})
	return err
}

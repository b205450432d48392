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
	tryAgain   = time.Second     // after a request that failed, or a ConfigMap that is missing
	goneGrace  = 2 * time.Second // for a pod whose object was removed by force
	volumesDir = "volumes"
)

// Why a pod's containers are ended.
var (
	errDeleted = errors.New("the pod was deleted")
	errGone    = errors.New("the pod's object is gone")
	errStopped = errors.New("the node stops")
)

// runner has one pod. One goroutine works (prepare, init containers, container),
// the other reports, so that a slow API server never delays a restart.
type runner struct {
	node *node
	log  hclog.Logger
	dir  string
	wake chan struct{} // holds one: there is something new to look at

	stop   context.Context // ends, with its cause, when the containers are to end
	end    context.CancelCauseFunc
	gone   context.Context // ends when the object is gone: nobody waits any more
	goneIs context.CancelFunc

	mu     sync.Mutex
	object *corev1.Pod // the newest
	state  state
}

func newRunner(n *node, p *corev1.Pod) *runner {
	r := &runner{
		node: n, object: p, wake: make(chan struct{}, 1), log: n.Log.With("pod", p.Namespace+"/"+p.Name),
		dir: filepath.Join(n.Dir, fmt.Sprintf("%s_%s_%s", p.Namespace, p.Name, p.UID)),
	}
	r.stop, r.end = context.WithCancelCause(context.Background())
	r.gone, r.goneIs = context.WithCancel(context.Background())
	r.state = startingState(p, n.Clock.Now())
	return r
}

// see takes the pod's newest object.
func (r *runner) see(p *corev1.Pod) {
	r.mu.Lock()
	r.object = p
	r.mu.Unlock()
	r.poke()
}

func (r *runner) vanish() {
	r.goneIs()
	r.poke()
}

func (r *runner) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// change alters what is reported.
func (r *runner) change(f func(*state)) {
	r.mu.Lock()
	f(&r.state)
	r.mu.Unlock()
	r.poke()
}

func (r *runner) newest() *corev1.Pod {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.object
}

// live is the pod's whole life on this node: it returns when the object is gone, or
// when the node stops and has said how the pod ended.
func (r *runner) live() {
	worked := make(chan struct{})
	go func() { defer close(worked); r.work() }()
	defer func() { <-worked }()
	defer r.end(errStopped)
	said := reporter{runner: r}
	for {
		object := r.newest()
		stopping := r.node.draining.Err() != nil
		switch {
		case r.gone.Err() != nil:
			r.end(errGone)
		case object.DeletionTimestamp != nil:
			r.end(errDeleted)
		case stopping:
			r.end(errStopped)
		}
		ended := false
		select {
		case <-worked:
			ended = true
		default:
		}
		var err error
		if r.gone.Err() == nil {
			err = said.say(object, ended)
		}
		over := r.node.over.Err() != nil
		if ended && (r.gone.Err() != nil || stopping && err == nil || over) {
			return
		}
		var again <-chan time.Time
		giveBack := func() {}
		if err != nil {
			r.log.Warn("can't report the pod", "error", err)
			again, giveBack = r.node.Clock.Timer(tryAgain)
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
			done = r.node.over.Done()
		}
		select {
		case <-r.wake:
		case <-again:
		case <-ending:
		case <-draining:
		case <-done:
		}
		giveBack()
	}
}

// work runs the containers to their end.
func (r *runner) work() {
	object := r.newest()
	r.mu.Lock()
	over := object.DeletionTimestamp != nil || r.state.ended()
	r.mu.Unlock()
	if over {
		return // an earlier run of the node left it; no process of it lives
	}
	defer func() {
		if cause := context.Cause(r.stop); errors.Is(cause, errStopped) {
			r.change(func(s *state) { s.cut = true })
		}
	}()
	ip, err := r.node.addresses.take(object.Status.PodIP)
	if err != nil {
		r.refuse("NoAddress", err)
		return
	}
	defer r.node.addresses.giveBack(ip)
	r.change(func(s *state) { s.ip = ip })
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		r.refuse("NoFolder", err)
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
		if !r.run(i, c) {
			return
		}
	}
}

// run runs one container to its end, and tells whether the next may begin.
func (r *runner) run(i int, c pod.Config) bool {
	c.OnChange = func(s pod.Status) { r.change(func(now *state) { now.runs[i].observe(s) }) }
	p, err := pod.Start(c)
	if err != nil {
		r.refuse("Unsupported", err)
		return false
	}
	select {
	case <-p.Done():
	case <-r.stop.Done():
		ctx, cancel := context.WithTimeout(context.Background(), r.grace())
		defer cancel()
		defer context.AfterFunc(r.gone, func() { r.hasten(cancel) })()
		defer context.AfterFunc(r.node.over, cancel)()
		if err := p.Stop(ctx); err != nil {
			r.log.Error("can't stop the pod", "error", err)
		}
		return false
	}
	return p.Status().Phase == corev1.PodSucceeded
}

// hasten ends the grace of a pod whose object is gone.
func (r *runner) hasten(kill context.CancelFunc) {
	r.node.pause(r.node.over, goneGrace)
	kill()
}

// grace is how long the containers may take to end, never longer than their own grace period.
func (r *runner) grace() time.Duration {
	object := r.newest()
	own := pod.Grace(&object.Spec)
	switch cause := context.Cause(r.stop); {
	case errors.Is(cause, errGone):
		return min(own, goneGrace)
	case errors.Is(cause, errDeleted) && object.DeletionGracePeriodSeconds != nil:
		return min(own, time.Duration(*object.DeletionGracePeriodSeconds)*time.Second)
	}
	return own
}

// prepare makes the containers' configurations. It waits for ConfigMaps and Secrets
// that are missing, as a kubelet does, and refuses what can't be honoured.
func (r *runner) prepare(ip string) ([]pod.Config, bool) {
	for {
		configs, err := r.configs(r.stop, ip)
		var refused *RefusedError
		switch {
		case err == nil:
			r.change(func(s *state) { s.waiting = nil })
			return configs, true
		case r.stop.Err() != nil:
			return nil, false
		case errors.As(err, &refused):
			r.refuse("Unsupported", err)
			return nil, false
		}
		r.hold("CreateContainerConfigError", err)
		if !r.node.pause(r.stop, tryAgain) {
			return nil, false
		}
	}
}

// refuse leaves the pod Pending until it is deleted, and says why.
func (r *runner) refuse(reason string, err error) {
	r.hold(reason, err)
	<-r.stop.Done()
}

func (r *runner) hold(reason string, err error) {
	r.mu.Lock()
	again := r.state.waiting != nil && r.state.waiting.Message == err.Error()
	r.mu.Unlock()
	if again {
		return
	}
	r.log.Warn("pod can't run", "reason", reason, "error", err)
	r.change(func(s *state) { s.waiting = &corev1.ContainerStateWaiting{Reason: reason, Message: err.Error()} })
	if err := r.warn(reason, err.Error()); err != nil {
		r.log.Warn("can't record an event", "error", err)
	}
}

// warn records an event on the pod.
func (r *runner) warn(reason, message string) error {
	object := r.newest()
	now := metav1.NewTime(r.node.Clock.Now())
	if len(message) > 1024 { // the API server takes no more
		message = message[:1021] + "..."
	}
	_, err := r.node.core.Events(object.Namespace).Create(r.node.over, &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{GenerateName: object.Name + ".", Namespace: object.Namespace},
		InvolvedObject: corev1.ObjectReference{
			APIVersion: "v1", Kind: "Pod", Namespace: object.Namespace, Name: object.Name, UID: object.UID, ResourceVersion: object.ResourceVersion,
		},
		Type: corev1.EventTypeWarning, Reason: reason, Message: message, FirstTimestamp: now, LastTimestamp: now, Count: 1,
		Source: corev1.EventSource{Component: "process-node", Host: r.node.Name},
	}, metav1.CreateOptions{})
	return err
}

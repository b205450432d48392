package orchestrator

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/router"
)

// reconcile creates and drains pods until they match the Deployments. It does not wait for
// them: pods start and end in goroutines of their own.
func (o *Orchestrator) reconcile() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || !o.applied {
		return
	}
	for _, k := range keysOf(o.deploys) {
		d := o.deploys[k]
		limits, err := limitsOf(&d.spec)
		if err != nil {
			continue // check refuses such a Deployment
		}
		create, end := planRollout(d.desired(), limits, o.members(k, d))
		for _, name := range end {
			o.drain(o.replicas[named(k.Namespace, name)])
		}
		for range create {
			o.newReplica(k, d)
		}
	}
	for _, k := range keysOf(o.replicas) {
		r := o.replicas[k]
		if o.deploys[named(k.Namespace, r.rec.Deployment)] == nil {
			o.drain(r)
		}
	}
	o.startPending()
	o.publishReady()
	o.notifyLocked()
}

func (o *Orchestrator) members(k types.NamespacedName, d *deployment) []member {
	var out []member
	for _, r := range o.podsOf(k) {
		if !r.terminating {
			out = append(out, member{r.rec.Name, r.rec.Hash == d.hash, r.pod != nil, r.status.Ready, r.rec.Serial})
		}
	}
	return out
}

// podsOf returns the pods of a Deployment by name, with those that terminate.
func (o *Orchestrator) podsOf(k types.NamespacedName) []*replica {
	var out []*replica
	for _, at := range keysOf(o.replicas) {
		if r := o.replicas[at]; at.Namespace == k.Namespace && r.rec.Deployment == k.Name {
			out = append(out, r)
		}
	}
	return out
}

// startPending starts every pod without a node that a node can take.
func (o *Orchestrator) startPending() {
	for _, k := range keysOf(o.replicas) {
		r := o.replicas[k]
		if r.pod != nil || r.terminating {
			continue
		}
		node, err := schedule(o.opts.nodeNames(), r.info(), o.running())
		if err == nil {
			r.rec.Node, r.rec.Cores = node, o.opts.coresOf(node)
			r.pod, err = pod.Start(r.config(o))
		}
		if err != nil {
			r.rec.Node, r.rec.Cores = "", nil
			if r.waiting != err.Error() {
				r.waiting = err.Error()
				o.opts.Log.Warn("pod waits for a node", "pod", r.rec.Name, "reason", r.waiting)
			}
			continue
		}
		r.waiting = ""
		o.opts.Log.Info("pod starts", "pod", r.rec.Name, "node", node)
	}
}

// drain sends a pod no more requests, and has finish stop it. It is called with mu held.
func (o *Orchestrator) drain(r *replica) {
	if r.terminating {
		return
	}
	r.terminating = true
	if r.pod == nil {
		delete(o.replicas, r.rec.key())
		return
	}
	o.publishReady()
	o.opts.Log.Info("pod drains", "pod", r.rec.Name, "in flight", r.inflight.Count())
	o.work.Go(func() { o.finish(r) })
}

// finish stops a drained pod once its requests are answered, or its grace period is over.
func (o *Orchestrator) finish(r *replica) {
	timer, stopTimer := o.opts.Clock.Timer(pod.GracePeriod(&r.rec.Spec))
	defer stopTimer()
	select {
	case <-r.inflight.Idle():
	case <-timer:
		o.opts.Log.Warn("pod is stopped with requests still in flight", "pod", r.rec.Name, "in flight", r.inflight.Count())
	case <-o.ctx.Done():
		return // Close stops or detaches it
	}
	// The grace period bounds the wait; Close shortens it by a Stop of its own.
	o.stopPod(context.Background(), r)
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.replicas, r.rec.key())
	if d := o.deploys[named(r.rec.Namespace, r.rec.Deployment)]; d != nil {
		d.pastRestarts += r.status.Restarts
	}
	o.notifyLocked()
	o.wake()
}

// publishReady passes the ready pods to the router. It is called with mu held.
func (o *Orchestrator) publishReady() {
	var ready []router.Pod
	for _, k := range keysOf(o.replicas) {
		if r := o.replicas[k]; r.ready() {
			ready = append(ready, router.Pod{Namespace: k.Namespace, Labels: r.rec.Labels, Port: hostPort(r.status.Ports), Inflight: r.inflight})
		}
	}
	o.router.SetPods(ready)
}

// unreadyReason describes why a pod isn't ready.
func (r *replica) unreadyReason() string {
	if r.pod == nil {
		return fmt.Sprintf("%s: %s", r.rec.Name, r.waiting)
	}
	why := strings.TrimSpace(r.status.Reason + " " + r.status.Message)
	if why == "" {
		why = "not ready yet"
	}
	return fmt.Sprintf("%s: %s; its log is %s", r.rec.Name, why, r.rec.Log)
}

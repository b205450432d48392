package local

import (
	"context"
	"fmt"
	"strings"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/router"
)

// reconcile compares what is wanted with what there is, and starts what closes
// the gap. It waits for nothing: pods start and end in goroutines of their own.
func (o *Orchestrator) reconcile() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || !o.applied {
		return
	}
	for _, k := range keysOf(o.deploys) {
		d := o.deploys[k]
		limits, err := surgeOf(&d.spec)
		if err != nil {
			continue // check has refused it
		}
		create, end := plan(d.desired(), limits, o.members(k, d))
		for _, name := range end {
			o.drain(o.replicas[key{k.namespace, name}])
		}
		for range create {
			o.newReplica(k, d)
		}
	}
	for _, k := range keysOf(o.replicas) {
		r := o.replicas[k]
		if o.deploys[key{k.namespace, r.rec.Deployment}] == nil {
			o.drain(r)
		}
	}
	o.startPending()
	o.publish()
	o.notifyLocked()
}

func (o *Orchestrator) members(k key, d *deployment) []member {
	var out []member
	for _, r := range o.of(k) {
		if !r.going {
			out = append(out, member{r.rec.Name, r.rec.Hash == d.hash, r.pod != nil, r.status.Ready, r.status.Restarts, r.rec.Serial})
		}
	}
	return out
}

// of are the pods of a Deployment, those on their way out too, by name.
func (o *Orchestrator) of(k key) []*replica {
	var out []*replica
	for _, at := range keysOf(o.replicas) {
		if r := o.replicas[at]; at.namespace == k.namespace && r.rec.Deployment == k.name {
			out = append(out, r)
		}
	}
	return out
}

// startPending gives every pod without a node a node, if one can take it.
func (o *Orchestrator) startPending() {
	for _, k := range keysOf(o.replicas) {
		r := o.replicas[k]
		if r.pod != nil || r.going {
			continue
		}
		node, err := place(o.opts.nodeNames(), r.placement(), o.placed())
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

// drain takes a pod out of the routes, and has it stopped once its requests are answered.
func (o *Orchestrator) drain(r *replica) {
	if r.going {
		return
	}
	r.going = true
	if r.pod == nil {
		delete(o.replicas, r.rec.key())
		return
	}
	o.publish()
	o.opts.Log.Info("pod drains", "pod", r.rec.Name, "in flight", r.flight.Count())
	o.work.Go(func() { o.finish(r) })
}

// finish waits for the requests of a drained pod, no longer than its grace period,
// and stops it.
func (o *Orchestrator) finish(r *replica) {
	timer, giveBack := o.opts.Clock.Timer(pod.GracePeriod(&r.rec.Spec))
	defer giveBack()
	select {
	case <-r.flight.Idle():
	case <-timer:
		o.opts.Log.Warn("pod is stopped with requests still in flight", "pod", r.rec.Name, "in flight", r.flight.Count())
	case <-o.ctx.Done():
		return // Close stops it or lets it go
	}
	// Bounded by the grace period; Close hastens it through its own Stop.
	o.stopPod(context.Background(), r)
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.replicas, r.rec.key())
	if d := o.deploys[key{r.rec.Namespace, r.rec.Deployment}]; d != nil {
		d.gone += r.status.Restarts
	}
	o.notifyLocked()
	o.wake()
}

// publish tells the router which pods can take requests.
func (o *Orchestrator) publish() {
	var ready []router.Pod
	for _, k := range keysOf(o.replicas) {
		if r := o.replicas[k]; r.ready() {
			ready = append(ready, router.Pod{Namespace: k.namespace, Labels: r.rec.Labels, Port: portOf(r.status.Ports), Inflight: r.flight})
		}
	}
	o.router.SetPods(ready)
}

// trouble says why a pod isn't ready, for a person.
func (r *replica) trouble() string {
	if r.pod == nil {
		return fmt.Sprintf("%s: %s", r.rec.Name, r.waiting)
	}
	why := strings.TrimSpace(r.status.Reason + " " + r.status.Message)
	if why == "" {
		why = "not ready yet"
	}
	return fmt.Sprintf("%s: %s; its log is %s", r.rec.Name, why, r.rec.Log)
}

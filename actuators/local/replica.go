package local

import (
	"crypto/rand"
	"encoding/hex"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/router"
)

// replica is one pod as the orchestrator knows it. rec and flight never change
// once the pod runs (what does change of the record is in status); the rest is
// guarded by the orchestrator's mu.
type replica struct {
	rec     record
	flight  *router.Inflight
	pod     *pod.Pod // nil while no node can take it
	status  pod.Status
	saved   pod.Status // as last written; only the pod's own goroutine uses it
	going   bool       // drained, then stopped
	waiting string     // why no node can take it
}

func (r *replica) ready() bool { return r.status.Ready && !r.going }

func (r *replica) placement() placement {
	return placement{node: r.rec.Node, workload: key{r.rec.Namespace, r.rec.Deployment}, labels: r.rec.Labels, spec: &r.rec.Spec}
}

func (r *replica) config(o *Orchestrator) pod.Config {
	return pod.Config{
		Namespace: r.rec.Namespace, Name: r.rec.Name, Node: r.rec.Node, UID: r.rec.UID,
		Labels: r.rec.Labels, Annotations: r.rec.Annotations, Spec: r.rec.Spec, Cores: r.rec.Cores, LogPath: r.rec.Log,
		Self: o.opts.Self, Ports: o.ports, BackOff: o.opts.BackOff, InitialProbePeriod: earlyProbe,
		KillWithParent: o.opts.KillWithParent, Clock: o.opts.Clock, Log: o.opts.Log,
		OnChange: func(s pod.Status) { o.observe(r, s) },
	}
}

// newReplica makes a pod of the present template; it has no node yet.
func (o *Orchestrator) newReplica(k key, d *deployment) *replica {
	const letters = "bcdfghjklmnpqrstvwxz2456789" // no vowels: no words
	name := ""
	for name == "" || o.replicas[key{k.namespace, name}] != nil {
		var suffix [5]byte
		for i := range suffix {
			suffix[i] = letters[o.rnd.IntN(len(letters))]
		}
		name = k.name + "-" + d.hash + "-" + string(suffix[:])
	}
	o.serial++
	// Not from the seed: a UID must differ from those of earlier runs too.
	var uid [16]byte
	_, _ = rand.Read(uid[:]) // never fails
	r := &replica{flight: &router.Inflight{}, rec: record{
		Namespace: k.namespace, Name: name, UID: hex.EncodeToString(uid[:]), Deployment: k.name, Hash: d.hash, Serial: o.serial,
		Labels: d.template.Labels, Annotations: d.template.Annotations, Spec: *d.template.Spec.DeepCopy(),
	}}
	r.rec.Log = o.store.logFile(r.rec.key())
	r.status.Phase = corev1.PodPending
	o.replicas[r.rec.key()] = r
	return r
}

// observe takes a pod's new status, in the pod's own goroutine. The record is
// written first, outside mu: a process must be on disk before anyone counts on it.
func (o *Orchestrator) observe(r *replica, s pod.Status) {
	if s.PID != r.saved.PID || s.StartID != r.saved.StartID || s.Restarts != r.saved.Restarts || !slices.Equal(s.Ports, r.saved.Ports) || r.saved.Phase == "" {
		rec := r.rec
		rec.PID, rec.StartID, rec.StartedAt, rec.Ports, rec.Restarts = s.PID, s.StartID, s.StartedAt, s.Ports, s.Restarts
		if err := o.store.savePod(rec); err != nil {
			o.opts.Log.Error("a pod can't be recorded; it could not be adopted after a restart", "pod", r.rec.Name, "error", err)
		} else {
			r.saved = s
		}
	}
	o.mu.Lock()
	r.status = s
	o.publish()
	o.notifyLocked()
	o.mu.Unlock()
	o.wake()
}

package orchestrator

import (
	"crypto/rand"
	"encoding/hex"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/router"
)

// replica is a pod of a Deployment. rec and inflight don't change once the pod has
// started (status holds what changes of the record); Orchestrator.mu guards the others.
type replica struct {
	rec         record
	inflight    *router.Inflight
	pod         *pod.Pod // nil until a node takes it
	status      pod.Status
	saved       pod.Status // as last written to disk; used by the pod's own goroutine only
	terminating bool       // no request goes to it; it is stopped once it has answered those that it has
	waiting     string     // why no node takes it
	readySince  time.Time  // zero while it is not ready
}

func (r *replica) ready() bool { return r.status.Ready && !r.terminating }

func (r *replica) info() podInfo {
	return podInfo{node: r.rec.Node, workload: named(r.rec.Namespace, r.rec.Deployment), labels: r.rec.Labels, spec: &r.rec.Spec}
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

// newReplica adds a pod of the current template. It has no node yet. It is called with mu
// held.
func (o *Orchestrator) newReplica(k types.NamespacedName, d *deployment) *replica {
	const letters = "bcdfghjklmnpqrstvwxz2456789" // no vowels, so that no word comes out
	name := ""
	for name == "" || o.replicas[named(k.Namespace, name)] != nil {
		var suffix [5]byte
		for i := range suffix {
			suffix[i] = letters[o.rnd.IntN(len(letters))]
		}
		name = k.Name + "-" + d.hash + "-" + string(suffix[:])
	}
	o.serial++
	// Not from the seed: a UID must differ from those of earlier processes too.
	var uid [16]byte
	_, _ = rand.Read(uid[:]) // never fails
	r := &replica{inflight: &router.Inflight{}, rec: record{
		Namespace: k.Namespace, Name: name, UID: hex.EncodeToString(uid[:]), Deployment: k.Name, Hash: d.hash, Serial: o.serial, CreatedAt: o.opts.Clock.Now(),
		Labels: d.template.Labels, Annotations: d.template.Annotations, Spec: *d.template.Spec.DeepCopy(),
	}}
	r.rec.Log = o.store.logFile(r.rec.key())
	r.status.Phase = corev1.PodPending
	o.replicas[r.rec.key()] = r
	return r
}

// observe takes a pod's new status, in the pod's own goroutine. It writes the record
// first, without mu: no request may go to a process that could not be adopted.
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
	switch {
	case !s.Ready:
		r.readySince = time.Time{}
	case r.readySince.IsZero():
		r.readySince = o.opts.Clock.Now()
	}
	r.status = s
	o.publishReady()
	o.notifyLocked()
	o.mu.Unlock()
	o.wake()
}

package local

import (
	"slices"
	"syscall"

	corev1 "k8s.io/api/core/v1"

	"github.com/scanflow-k8s/scanflow/actuators/local/pod"
)

// adopt takes over the living processes of recorded pods and forgets the dead:
// reconcile makes others in their place.
func (o *Orchestrator) adopt(records []record) {
	var tagged map[string][]pod.Resume
	if slices.ContainsFunc(records, func(r record) bool { return !pod.Alive(r.PID, r.StartID) }) {
		tagged = pod.Tagged()
	}
	for _, rec := range records {
		if !pod.Alive(rec.PID, rec.StartID) && !o.findStray(&rec, tagged[rec.UID]) {
			o.opts.Log.Info("a recorded pod has died; it is replaced", "pod", rec.Name)
			if err := o.store.forgetPod(rec.key()); err != nil {
				o.opts.Log.Error("the record of a dead pod stays behind", "pod", rec.Name, "error", err)
			}
			continue
		}
		r := &replica{rec: rec, flight: &flight{}}
		from := pod.Resume{PID: rec.PID, StartID: rec.StartID, StartedAt: rec.StartedAt, Ports: rec.Ports, Restarts: rec.Restarts}
		r.status = pod.Status{Phase: corev1.PodRunning, PID: rec.PID, StartID: rec.StartID, StartedAt: rec.StartedAt, Ports: rec.Ports, Restarts: rec.Restarts}
		o.mu.Lock()
		adopted, err := pod.Adopt(r.config(o), from)
		if err == nil {
			r.pod = adopted
			o.replicas[rec.key()] = r
		}
		o.mu.Unlock()
		if err != nil {
			o.opts.Log.Error("a recorded pod can't be adopted", "pod", rec.Name, "error", err)
			continue
		}
		o.opts.Log.Info("pod adopted", "pod", rec.Name, "pid", rec.PID)
	}
}

// findStray looks for the process of a pod whose number was never written down,
// because the orchestrator died in between; and ends what a dead pod left behind.
func (o *Orchestrator) findStray(rec *record, strays []pod.Resume) bool {
	for _, s := range strays {
		if group, err := syscall.Getpgid(s.PID); err == nil && group == s.PID {
			rec.PID, rec.StartID = s.PID, s.StartID
			return true
		}
	}
	for _, s := range strays {
		_ = syscall.Kill(s.PID, syscall.SIGKILL)
	}
	return false
}

package orchestrator

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/router"
)

// adopt takes over the running processes of recorded pods and removes the records of the
// others, which reconcile replaces.
func (o *Orchestrator) adopt(records []record) {
	var tagged map[string][]pod.Handle
	if slices.ContainsFunc(records, func(r record) bool { return !pod.Alive(r.PID, r.StartID) }) {
		tagged = pod.ProcessesByUID()
	}
	for _, rec := range records {
		if !alive(&rec, tagged[rec.UID]) {
			o.opts.Log.Info("a recorded pod has died; it is replaced", "pod", rec.Name)
			if err := o.store.removePod(rec.key()); err != nil {
				o.opts.Log.Error("the record of a dead pod stays behind", "pod", rec.Name, "error", err)
			}
			continue
		}
		r := &replica{rec: rec, inflight: &router.Inflight{}}
		from := pod.Handle{PID: rec.PID, StartID: rec.StartID, StartedAt: rec.StartedAt, Ports: rec.Ports, Restarts: rec.Restarts}
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

// alive reports whether the pod's process runs. If the recorded PID doesn't, it looks among
// the strays: a process whose PID was not recorded before the last orchestrator ended.
func alive(rec *record, strays []pod.Handle) bool {
	if pod.Alive(rec.PID, rec.StartID) {
		return true
	}
	found, ok := pod.Reclaim(strays)
	if ok {
		rec.PID, rec.StartID = found.PID, found.StartID
	}
	return ok
}

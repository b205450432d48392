package orchestrator

import (
	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/engine"
)

// targetPods returns the pods of a Deployment as documents have them. Pods that terminate are
// left out. It is called with mu held.
func (o *Orchestrator) targetPods(k types.NamespacedName) []engine.TargetPod {
	out := []engine.TargetPod{}
	for _, r := range o.podsOf(k) {
		if !r.terminating {
			out = append(out, r.targetPod())
		}
	}
	return out
}

func (r *replica) targetPod() engine.TargetPod {
	created := r.rec.CreatedAt
	if created.IsZero() {
		created = r.rec.StartedAt
	}
	p := engine.TargetPod{Name: r.rec.Name, Ready: r.ready(), Restarts: r.status.Restarts}
	if !created.IsZero() {
		p.StartedNS = created.UnixNano()
	}
	if p.Ready && !r.readySince.IsZero() {
		p.ReadySinceNS = r.readySince.UnixNano()
	}
	return p
}

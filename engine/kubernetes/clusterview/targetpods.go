package clusterview

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/engine"
)

// targetPod returns a pod as documents have it.
func (p *cachedPod) targetPod() engine.TargetPod {
	out := engine.TargetPod{Name: p.name, Ready: p.ready, Restarts: p.restarts, StartedNS: p.created * int64(time.Second)}
	if p.ready {
		out.ReadySinceNS = p.readySince * int64(time.Second)
	}
	return out
}

// targetPods returns the active pods as documents have them.
func targetPods(pods []*cachedPod) []engine.TargetPod {
	out := make([]engine.TargetPod, 0, len(pods))
	for _, p := range pods {
		if !p.inactive() {
			out = append(out, p.targetPod())
		}
	}
	return out
}

// noPodsError is the error for spec.targets.pods of a kind whose pods can't be found.
func noPodsError(kind schema.GroupKind) error {
	return fmt.Errorf("spec.targets.pods: the pods of a %s can't be found: the kind has no scale subresource; leave pods out, or select the workloads that it makes", kind)
}

// OwnPods returns the pods of an object, by name, and how many replicas it wants; those that
// have ended are left out. The bool is false where no fleet follows the object or there is none
// of that name, or where the cache is too old. It sends no request.
func (v *View) OwnPods(id engine.TargetID) (pods []engine.OwnPod, desired int, known bool) {
	inf, s := v.find(id)
	if inf == nil || !inf.healthy() {
		return nil, 0, false
	}
	all, err := v.podsFor(inf)
	if err != nil || !all.healthy() {
		return nil, 0, false
	}
	mapping, _ := inf.kind()
	active := 0
	for _, p := range all.index.of(podOwner{mapping.GroupVersionKind.Group, id.Kind, id.Namespace, id.Name}, s.selector) {
		if p.inactive() && !p.terminating {
			continue
		}
		if !p.terminating {
			active++
		}
		pods = append(pods, engine.OwnPod{TargetPod: p.targetPod(), UID: p.uid, Terminating: p.terminating, Orphan: len(p.owners) == 0})
	}
	if s.desiredKnown {
		return pods, s.desired, true
	}
	return pods, active, true
}

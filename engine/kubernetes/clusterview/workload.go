package clusterview

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/engine"
)

// hasReplicas tells whether a target's size can be read and set.
func (p scalePaths) hasReplicas(s *slim) bool { return p.scalable || p.guessed && s.sized }

// readyOf is how many replicas are ready: what the object says, or else its pods.
func (s *slim) readyOf(pods []*slimPod) int {
	if s.statedReady {
		return s.ready
	}
	n := 0
	for _, p := range pods {
		if p.ready && !p.gone() {
			n++
		}
	}
	return n
}

// find is an object of a kind that some fleet follows.
func (v *View) find(id engine.TargetID) (*informer, *slim) {
	v.mu.RLock()
	informers := v.byKind[id.Kind]
	v.mu.RUnlock()
	for _, inf := range informers {
		if inf.key.namespace != "" && inf.key.namespace != id.Namespace {
			continue
		}
		if s, ok := inf.objects.get(types.NamespacedName{Namespace: id.Namespace, Name: id.Name}); ok {
			return inf, s
		}
	}
	return nil, nil
}

// Reference refers to an object. It has no API version and no UID where no fleet follows
// the object's kind, or there is none of that name.
func (v *View) Reference(id engine.TargetID) corev1.ObjectReference {
	ref := corev1.ObjectReference{Kind: id.Kind, Namespace: id.Namespace, Name: id.Name}
	if inf, s := v.find(id); s != nil {
		ref.APIVersion, ref.UID = inf.key.apiVersion, types.UID(s.uid)
	}
	return ref
}

// Workload is the state of one object of a kind that some fleet follows; false where
// there is none of that name, or where nothing was heard of it for too long. What
// has no replicas of its own is as large as it has pods.
func (v *View) Workload(id engine.TargetID) (engine.Workload, bool) {
	inf, s := v.find(id)
	if inf == nil || !inf.healthy() {
		return engine.Workload{}, false
	}
	pods, err := v.podsFor(inf)
	if err != nil || !pods.healthy() {
		return engine.Workload{}, false
	}
	mapping, _ := inf.kindOf()
	of := pods.index.of(podOwner{mapping.GroupVersionKind.Group, id.Kind, id.Namespace, id.Name}, s.selector)
	w := engine.Workload{Desired: s.desired, Ready: s.readyOf(of), Conditions: s.conditions}
	addPods(&w, of)
	if !s.sized {
		w.Desired = len(w.Pods)
	}
	return w, true
}

// Scalable is what a verb that writes replicas plans on.
type Scalable struct {
	Mapping              *meta.RESTMapping
	ResourceVersion, UID string
	// Desired, Current, Ready and Updated are replicas: asked for, there, able to
	// serve, and of the newest template.
	Desired, Current, Ready, Updated int
	Generation, ObservedGeneration   int64
	// ReplicaOwners are the managers that wrote the desired replicas.
	ReplicaOwners []FieldManager
	// Annotations are those whose names begin with scanflow.dev/.
	Annotations map[string]string
}

// Scalable is one object of a kind that some fleet follows, as it was last heard of,
// however long ago: a write is refused if it changed since. False where there is
// none of that name, or it has no replicas. It costs no request.
func (v *View) Scalable(id engine.TargetID) (Scalable, bool) {
	inf, s := v.find(id)
	if inf == nil || s.leaving {
		return Scalable{}, false
	}
	mapping, paths := inf.kindOf()
	if !paths.hasReplicas(s) {
		return Scalable{}, false
	}
	out := Scalable{
		Mapping: mapping, ResourceVersion: s.version, UID: s.uid,
		Desired: s.desired, Current: s.current, Ready: s.ready, Updated: s.fresh,
		Generation: s.generation, ObservedGeneration: s.observed, ReplicaOwners: slices.Clone(s.owners), Annotations: s.annotations,
	}
	if !s.statedReady {
		if pods, err := v.podsFor(inf); err == nil {
			out.Ready = s.readyOf(pods.index.of(podOwner{mapping.GroupVersionKind.Group, id.Kind, id.Namespace, id.Name}, s.selector))
		}
	}
	return out, true
}

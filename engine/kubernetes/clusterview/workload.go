package clusterview

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/engine"
)

// hasReplicas reports whether a target's replicas can be read and set.
func (p scalePaths) hasReplicas(s *cachedObject) bool {
	return p.scalable || p.guessed && s.desiredKnown
}

// readyOf returns the ready replicas: the object's own count, or else that of its pods.
func (s *cachedObject) readyOf(pods []*cachedPod) int {
	if s.readyKnown {
		return s.ready
	}
	n := 0
	for _, p := range pods {
		if p.ready && !p.inactive() {
			n++
		}
	}
	return n
}

// find returns an object of a kind that a fleet follows, and its informer.
func (v *View) find(id engine.TargetID) (*informer, *cachedObject) {
	v.mu.RLock()
	informers := slices.Clone(v.byKind[id.Kind])
	informers = slices.DeleteFunc(informers, func(inf *informer) bool { return inf.users == 0 })
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

// Workload returns the state of an object of a kind that a fleet follows. The bool is false
// where there is no such object, or the cache is too old. An object without replicas has
// as many as it has pods.
func (v *View) Workload(id engine.TargetID) (engine.Workload, bool) {
	inf, s := v.find(id)
	if inf == nil || !inf.healthy() {
		return engine.Workload{}, false
	}
	pods, err := v.podsFor(inf)
	if err != nil || !pods.healthy() {
		return engine.Workload{}, false
	}
	mapping, _ := inf.kind()
	of := pods.index.of(podOwner{mapping.GroupVersionKind.Group, id.Kind, id.Namespace, id.Name}, s.selector)
	w := engine.Workload{Desired: s.desired, Ready: s.readyOf(of), Conditions: s.conditions}
	addPods(&w, of)
	if !s.desiredKnown {
		w.Desired = len(w.Pods)
	}
	return w, true
}

// Scalable is the input to a verb that writes replicas.
type Scalable struct {
	Mapping              *meta.RESTMapping
	ResourceVersion, UID string
	// Desired, Current, Ready and Updated count replicas: requested, existing, able to serve,
	// and of the newest template.
	Desired, Current, Ready, Updated int
	// Unset is true where the spec does not have the number, and Desired is what the
	// controller reports.
	Unset bool
	// CurrentKnown is true where the object states Current.
	CurrentKnown bool
	// CurrentPath and ReadyPath are the fields that Current and Ready were read from, such as
	// "status.readyReplicas". ReadyPath is "" where the kind reports no ready replicas, and
	// Ready counts pods.
	CurrentPath, ReadyPath string
	// Pods and ReadyPods count the pods that the object's selector selects. They are 0 where
	// ReadyPath is not "".
	Pods, ReadyPods                int
	Generation, ObservedGeneration int64
	// ReplicaOwners are the managers that own the desired replicas.
	ReplicaOwners []FieldManager
	// Annotations are those with the prefix scanflow.dev/.
	Annotations map[string]string
	// Failed has the failure that its conditions report, and FailedFirmly whether its controller
	// can't make pods; see FailedCondition.
	Failed       string
	FailedFirmly bool
}

// Scalable returns an object of a kind that a fleet follows. It may be of any age, since a
// write is refused if the object changed meanwhile. The bool is false where there is no
// such object, or it has no replicas. It sends no request.
func (v *View) Scalable(id engine.TargetID) (Scalable, bool) {
	inf, s := v.find(id)
	if inf == nil || s.terminating {
		return Scalable{}, false
	}
	mapping, paths := inf.kind()
	if !paths.hasReplicas(s) {
		return Scalable{}, false
	}
	out := Scalable{
		Mapping: mapping, ResourceVersion: s.version, UID: s.uid,
		Desired: s.desired, Current: s.current, Ready: s.ready, Updated: s.updated,
		Unset: s.desiredUnset, CurrentKnown: s.currentKnown, CurrentPath: paths.current.String(),
		Generation: s.generation, ObservedGeneration: s.observedGeneration, ReplicaOwners: slices.Clone(s.replicaManagers), Annotations: s.annotations,
		Failed: s.failed, FailedFirmly: s.failedFirmly,
	}
	if s.readyKnown {
		out.ReadyPath = paths.ready.String()
		return out, true
	}
	if pods, err := v.podsFor(inf); err == nil {
		of := pods.index.of(podOwner{mapping.GroupVersionKind.Group, id.Kind, id.Namespace, id.Name}, s.selector)
		out.Ready = s.readyOf(of)
		for _, p := range of {
			if !p.inactive() {
				out.Pods++
			}
		}
		out.ReadyPods = out.Ready
	}
	return out, true
}

// Follows reports whether a fleet has an object, and whether its kind has replicas that can be
// set.
func (v *View) Follows(id engine.TargetID) (there, scalable bool) {
	inf, s := v.find(id)
	if s == nil {
		return false, false
	}
	_, paths := inf.kind()
	return true, paths.hasReplicas(s)
}

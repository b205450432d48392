package engine

import (
	"cmp"
	"slices"
)

// MaxTargetPods bounds the pods that a document has of its target: the first by name.
const MaxTargetPods = 256

// TargetPod is one pod of a target. It has no age, so that a pod that does not change does not
// change the document.
type TargetPod struct {
	Name     string `json:"name"`
	Ready    bool   `json:"ready"`
	Restarts int    `json:"restarts"`
	// StartedNS is when the pod was created, in nanoseconds since the Unix epoch. A container
	// that is started again in the same pod does not change it.
	StartedNS int64 `json:"started_ns"`
	// ReadySinceNS is when the pod became ready; 0 where it is not, or the time is not known.
	ReadySinceNS int64 `json:"ready_since_ns"`
}

// OwnPod is a pod of a target as its orchestrator has it now.
type OwnPod struct {
	TargetPod
	UID         string
	Terminating bool
	// Orphan is set for a pod without a controller, which nothing would replace.
	Orphan bool
}

// SetPods sets the pods of a target, sorted by name. It keeps the first MaxTargetPods and counts
// the rest in PodsOmitted. No pods are an empty list, which is not the same as unknown ones (nil).
func (t *Target) SetPods(pods []TargetPod) {
	if pods == nil {
		pods = []TargetPod{}
	}
	slices.SortFunc(pods, func(a, b TargetPod) int { return cmp.Compare(a.Name, b.Name) })
	t.PodsOmitted = max(0, len(pods)-MaxTargetPods)
	t.Pods = pods[:len(pods)-t.PodsOmitted]
}

// Pod returns the pod of a name that the document has.
func (t *Target) Pod(name string) (TargetPod, bool) {
	for _, p := range t.Pods {
		if p.Name == name {
			return p, true
		}
	}
	return TargetPod{}, false
}

// input returns the pod as JSON values.
func (p TargetPod) input() map[string]any {
	out := map[string]any{"name": p.Name, "ready": p.Ready, "restarts": p.Restarts, "started_ns": p.StartedNS}
	if p.ReadySinceNS != 0 {
		out["ready_since_ns"] = p.ReadySinceNS
	}
	return out
}

// Package onepod chooses and counts the pods for `restart` of one pod, on Kubernetes and on this
// machine. It reads no cluster and changes nothing. Start reading at Choose.
package onepod

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine"
)

// mostNames bounds the pods that a message names.
const mostNames = 5

// Choose returns the pod of a name among a target's pods of now. The error says why it is not the
// pod that was decided on, and what pods there are.
func Choose(t *engine.Target, pods []engine.OwnPod, name string) (engine.OwnPod, error) {
	if t.Pods == nil {
		return engine.OwnPod{}, errors.New("the document does not have the target's pods; set spec.targets.pods: true in the agent's manifest")
	}
	i := slices.IndexFunc(pods, func(p engine.OwnPod) bool { return p.Name == name })
	if i < 0 {
		return engine.OwnPod{}, errors.New("the target has no such pod; " + names(pods))
	}
	if decided, has := t.Pod(name); has && decided.StartedNS != pods[i].StartedNS {
		return engine.OwnPod{}, errors.New("it is not the pod that was decided on: that one was replaced by another of the same name")
	}
	return pods[i], nil
}

// Count counts the pods that are not terminating, and the ready ones among them. A pod without a
// controller is no replica.
func Count(pods []engine.OwnPod) (active, ready int) {
	for _, p := range pods {
		if !p.Terminating && !p.Orphan {
			active++
			if p.Ready {
				ready++
			}
		}
	}
	return active, ready
}

// ReadyAfter returns how many pods are ready once another has taken a pod's place.
func ReadyAfter(pods []engine.OwnPod, replaced engine.OwnPod) int {
	_, ready := Count(pods)
	if !replaced.Ready {
		ready++
	}
	return ready
}

// State reports whether the pod of a UID exists, and whether it terminates.
func State(pods []engine.OwnPod, uid string) (exists, terminates bool) {
	i := slices.IndexFunc(pods, func(p engine.OwnPod) bool { return p.UID == uid })
	return i >= 0, i >= 0 && pods[i].Terminating
}

// names lists the pods that can be restarted.
func names(pods []engine.OwnPod) string {
	var out []string
	for _, p := range pods {
		if !p.Terminating && !p.Orphan {
			out = append(out, p.Name)
		}
	}
	switch {
	case len(out) == 0:
		return "it has none"
	case len(out) > mostNames:
		return fmt.Sprintf("it has %s and %d more", strings.Join(out[:mostNames], ", "), len(out)-mostNames)
	}
	return "it has " + strings.Join(out, ", ")
}

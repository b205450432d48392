package events

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// OnAgent queues an event on an Agent resource. agent is its namespace/name, kind is
// corev1.EventTypeNormal or corev1.EventTypeWarning. It does nothing where Options.AgentUID
// knows no such agent.
func (r *Recorder) OnAgent(agent, kind, reason, message string) {
	namespace, name, found := strings.Cut(agent, "/")
	uid := r.opts.AgentUID(agent)
	if !found || uid == "" {
		return
	}
	r.writer.enqueue(corev1.ObjectReference{
		APIVersion: manifest.APIVersion, Kind: manifest.Kind, Namespace: namespace, Name: name, UID: uid,
	}, kind, reason, message)
}

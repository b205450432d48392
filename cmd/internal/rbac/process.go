package rbac

import (
	"github.com/scanflow-k8s/scanflow/actuators/kubernetes"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// group is that of our own custom resources.
const (
	group   = "scanflow.dev"
	ledgers = "ledgers"
)

// ofResource is what reading an agent as a custom resource, and saying how it fares,
// needs, where the process looks into one namespace or into all ("").
func ofResource(a *manifest.Agent, watch string) []need {
	return []need{
		{Need: kubernetes.Need{Group: group, Resource: manifest.Plural, Verbs: follow, Namespace: watch}, why: "the process: agents"},
		{Need: kubernetes.Need{Group: group, Resource: manifest.Plural + "/status", Verbs: []string{"patch"}, Namespace: a.Metadata.Namespace}, why: "the process: agents"},
	}
}

// ofProcess is what the process needs where it runs, whatever its agents are.
func ofProcess(namespace string) []need {
	return []need{
		{Need: kubernetes.Need{Group: "coordination.k8s.io", Resource: "leases", Verbs: []string{"get", "create", "update"}, Namespace: namespace}, why: "the process: leader election"},
		{Need: kubernetes.Need{Group: group, Resource: ledgers, Verbs: []string{"get", "list", "create", "update", "delete"}, Namespace: namespace}, why: "the process: what survives a pod"},
	}
}

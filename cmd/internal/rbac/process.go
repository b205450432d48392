package rbac

import (
	"github.com/scanflow-k8s/scanflow/actuators/kubernetes"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// The API group and the resources of Scanflow's own custom resources.
const (
	group   = "scanflow.dev"
	ledgers = "ledgers"
)

// resourceNeeds returns what the process needs to read an agent as a custom resource and to
// write its status. watch is the namespace that the process reads, "" for all.
func resourceNeeds(a *manifest.Agent, watch string) []need {
	return []need{
		{Need: kubernetes.Need{Group: group, Resource: manifest.Plural, Verbs: informerVerbs, Namespace: watch}, why: "the process: agents"},
		{Need: kubernetes.Need{Group: group, Resource: manifest.Plural + "/status", Verbs: []string{"patch"}, Namespace: a.Metadata.Namespace}, why: "the process: agents"},
	}
}

// processNeeds returns what the process needs in its own namespace, with any agents.
func processNeeds(namespace string) []need {
	return []need{
		{Need: kubernetes.Need{Group: "coordination.k8s.io", Resource: "leases", Verbs: []string{"get", "create", "update"}, Namespace: namespace}, why: "the process: leader election"},
		{Need: kubernetes.Need{Group: group, Resource: ledgers, Verbs: []string{"get", "list", "create", "update", "delete"}, Namespace: namespace}, why: "the process: what survives a pod"},
	}
}

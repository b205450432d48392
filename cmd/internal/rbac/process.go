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
		{Need: kubernetes.Need{Resource: "events", Verbs: []string{"create"}, Namespace: a.Metadata.Namespace}, why: "the process: events on agents"},
	}
}

// processNeeds returns what the process needs in its own namespace, with any agents. leases are
// the names of the Leases of all its parts. A rule can't restrict create to names, and the first
// part reads the Leases of parts that are no more.
func processNeeds(namespace string, leases []string) []need {
	lease := func(name string, verbs ...string) need {
		return need{Need: kubernetes.Need{Group: "coordination.k8s.io", Resource: "leases", Verbs: verbs, Namespace: namespace}, name: name, why: "the process: leader election"}
	}
	out := []need{
		lease("", "get", "create"),
		{Need: kubernetes.Need{Group: group, Resource: ledgers, Verbs: []string{"get", "list", "create", "update", "delete"}, Namespace: namespace}, why: "the process: what survives a pod"},
	}
	for _, name := range leases {
		out = append(out, lease(name, "update"))
	}
	return out
}

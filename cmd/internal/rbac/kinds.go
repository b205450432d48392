package rbac

import (
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/actuators/kubernetes"
)

var (
	// podOwners are the built-in kinds whose pods are read. Every custom resource is
	// assumed to have pods.
	podOwners = []schema.GroupKind{
		{Group: "apps", Kind: "Deployment"}, {Group: "apps", Kind: "StatefulSet"}, {Group: "apps", Kind: "ReplicaSet"},
		{Group: "apps", Kind: "DaemonSet"}, {Group: "batch", Kind: "Job"}, {Kind: "ReplicationController"},
	}
	// clusterWide are the built-in cluster-scoped kinds that an agent may reasonably read.
	clusterWide = []schema.GroupKind{
		{Kind: "Node"}, {Kind: "Namespace"}, {Kind: "PersistentVolume"},
		{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}, {Group: "storage.k8s.io", Kind: "StorageClass"},
		{Group: "node.k8s.io", Kind: "RuntimeClass"}, {Group: "scheduling.k8s.io", Kind: "PriorityClass"},
	}
)

func groupKind(s kubernetes.Subject) schema.GroupKind {
	return schema.GroupKind{Group: s.Group(), Kind: s.Kind}
}

// parseKind parses "Kind.group".
func parseKind(name string) kubernetes.Subject {
	kind, of, _ := strings.Cut(name, ".")
	return kubernetes.Subject{APIVersion: strings.TrimPrefix(of+"/v1", "/"), Kind: kind}
}

// correctPlural replaces a plural that was guessed wrong.
func (n *need) correctPlural(plurals map[string]string) {
	for name, plural := range plurals {
		of, guess := parseKind(name).Group(), parseKind(name).Resource()
		base, sub, isSub := strings.Cut(n.Resource, "/")
		switch {
		case n.Group == of && base == guess && isSub:
			n.Resource = plural + "/" + sub
		case n.Group == of && base == guess:
			n.Resource = plural
		case n.name == guess+"."+of && n.Resource == "customresourcedefinitions":
			n.name = plural + "." + of
		}
	}
}

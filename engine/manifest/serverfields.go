package manifest

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// serverFields are the fields of an object's metadata that the API server writes.
var serverFields = []string{"creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"}

// clientFields are those that other clients write, which an object has that comes from a
// server.
var clientFields = []string{"finalizers", "generateName", "ownerReferences"}

// lastApplied is the annotation in which kubectl keeps a copy of the object.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// dropServerFields removes the status, and the metadata that is not the author's.
func dropServerFields(node *yaml.Node) {
	if node.Kind != yaml.MappingNode {
		return
	}
	dropFields(node, "status")
	metadata := valueOf(node, "metadata")
	if metadata == nil || metadata.Kind != yaml.MappingNode {
		return
	}
	dropped := slices.Clone(serverFields)
	if textOf(metadata, "uid") != "" && textOf(metadata, "resourceVersion") != "" {
		dropped = append(dropped, clientFields...)
	}
	dropFields(metadata, dropped...)
	if annotations := valueOf(metadata, "annotations"); annotations != nil && annotations.Kind == yaml.MappingNode {
		dropFields(annotations, lastApplied)
	}
}

func dropFields(node *yaml.Node, names ...string) {
	var kept []*yaml.Node
	for i := 0; i+1 < len(node.Content); i += 2 {
		if !slices.Contains(names, node.Content[i].Value) {
			kept = append(kept, node.Content[i], node.Content[i+1])
		}
	}
	node.Content = kept
}

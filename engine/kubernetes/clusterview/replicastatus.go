package clusterview

import (
	"strconv"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// readyPath returns the path to the ready replicas that a version of a definition declares;
// nil where it declares none. The fields beside the replicas of the scale subresource count
// what it counts:
//
//	status.replicas       status.readyReplicas, status.availableReplicas
//	status.replicas.all   status.replicas.ready (KubeAI)
//	status.shards         none: replicas beside it count something else
//
// A field that the schema declares is zero where an object does not have it. A schema that
// keeps unknown fields may have one that it does not declare.
func readyPath(version map[string]any, current fieldpath.Path) (path fieldpath.Path, zeroWhenAbsent bool) {
	if len(current) == 0 {
		return nil, false
	}
	last, _ := current[len(current)-1].(string)
	names := []string{"readyReplicas", "availableReplicas"}
	switch lower := strings.ToLower(last); {
	case strings.HasPrefix(lower, "ready") || strings.HasPrefix(lower, "available"):
		return current, true
	case lower == "all":
		names = []string{"ready", "available"}
	case !strings.HasSuffix(lower, "replicas"):
		return nil, false
	}
	beside := func(name string) fieldpath.Path {
		return append(append(fieldpath.Path{}, current[:len(current)-1]...), name)
	}
	schema, _ := fieldpath.Find(version, "schema", "openAPIV3Schema")
	for _, name := range names {
		if declared, _ := schemaAt(schema, beside(name)); declared {
			return beside(name), true
		}
	}
	if _, open := schemaAt(schema, beside(names[0])); open {
		return beside(names[0]), false
	}
	return nil, false
}

// schemaAt reports whether a schema declares a field, and whether it keeps unknown fields
// where that one would be.
func schemaAt(schema any, path fieldpath.Path) (declared, keepsUnknown bool) {
	for _, step := range path {
		node, _ := schema.(map[string]any)
		if node["x-kubernetes-preserve-unknown-fields"] == true {
			keepsUnknown = true
		}
		name, _ := step.(string)
		next, found := fieldpath.Find(node, "properties", name)
		if !found {
			if next, found = fieldpath.Find(node, "additionalProperties"); !found || next == true {
				return false, keepsUnknown
			}
		}
		schema = next
	}
	return true, keepsUnknown
}

// observedGeneration returns the generation that an object's status is about. Some kinds
// report it as text (Argo Rollouts), others do not report it at all: their status is taken to
// be about the present generation. The built-in kinds report it once their controller has
// seen the object.
func (p scalePaths) observedGeneration(object any, generation int64) int64 {
	v, _ := fieldpath.Find(object, "status", "observedGeneration")
	if n, ok := fieldpath.Int(map[string]any{"n": v}, "n"); ok && !p.statusCounts && !p.guessed {
		return n
	}
	if text, ok := v.(string); ok && !p.statusCounts && !p.guessed {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil { // Argo Rollouts before 1.0 writes a hash
			return n
		}
	}
	if p.ownsPods {
		return 0
	}
	return generation
}

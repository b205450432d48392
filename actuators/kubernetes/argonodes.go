package kubernetes

import (
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// Labels and annotations of the pods of a Workflow, as Argo Workflows 3.7 writes them.
const (
	runLabel         = "workflows.argoproj.io/workflow"
	completedLabel   = "workflows.argoproj.io/completed"
	nodeIDAnnotation = "workflows.argoproj.io/node-id"
)

// storedSpecField holds the effective specification of a Workflow of a template: Argo's
// controller merges the template's specification with the Workflow's own when it takes it up,
// and makes pods from that alone (setStoredWfSpec, setExecWorkflow and
// addSchedulingConstraints in workflow/controller of v3.7). Status is no subresource there.
const storedSpecField = "storedWorkflowTemplateSpec"

// argoRun is the state of a Workflow under way.
type argoRun struct {
	object map[string]any
	spec   map[string]any            // the effective specification
	nodes  map[string]map[string]any // by id
}

func argoRunOf(o *unstructured.Unstructured) (*argoRun, error) {
	r := &argoRun{object: o.Object}
	if r.spec, _, _ = unstructured.NestedMap(o.Object, "status", storedSpecField); r.spec == nil {
		r.spec, _, _ = unstructured.NestedMap(o.Object, "spec")
	}
	nodes, _, _ := unstructured.NestedMap(o.Object, "status", "nodes")
	packed := fieldpath.Text(o.Object, "status", "compressedNodes")
	if len(nodes) == 0 && packed != "" {
		var err error
		if nodes, err = unpackNodes(packed); err != nil {
			return nil, fmt.Errorf("read its nodes: %w", err)
		}
	}
	if len(nodes) == 0 && fieldpath.Text(o.Object, "status", "offloadNodeStatusVersion") != "" {
		return nil, errors.New("its nodes are kept in a database by Argo (offloadNodeStatusVersion), so that nobody can tell here which of its steps would be tried again")
	}
	r.nodes = make(map[string]map[string]any, len(nodes))
	for id, raw := range nodes {
		if node, ok := raw.(map[string]any); ok {
			r.nodes[id] = node
		}
	}
	return r, nil
}

// maxNodesBytes bounds the uncompressed nodes.
const maxNodesBytes = 64 << 20

// unpackNodes decodes the nodes of a large Workflow, which Argo stores as gzip in base64.
func unpackNodes(text string) (map[string]any, error) {
	raw, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(text)))
	if err != nil {
		return nil, err
	}
	var out map[string]any
	err = json.NewDecoder(io.LimitReader(raw, maxNodesBytes)).Decode(&out)
	return out, err
}

// templateOf returns the template of a node with the default values of all templates, or nil
// where the Workflow does not contain it.
func (r *argoRun) templateOf(node map[string]any) map[string]any {
	name, _ := node["templateName"].(string)
	ref, _ := node["templateRef"].(map[string]any)
	if of, _ := ref["template"].(string); of != "" {
		name = of
	}
	var found map[string]any
	for _, t := range fieldpath.Maps(r.spec, "templates") {
		if ref == nil && t["name"] == name {
			found = t
		}
	}
	kept, _, _ := unstructured.NestedMap(r.object, "status", "storedTemplates")
	for _, raw := range kept {
		if t, ok := raw.(map[string]any); ok && found == nil && t["name"] == name {
			found = t
		}
	}
	if found == nil {
		return nil
	}
	defaults, _ := r.spec["templateDefaults"].(map[string]any)
	return overlay(defaults, found)
}

// retryNode returns the retry node that a pod's node is an attempt of, and the ids of its
// attempts in order; nil where the step has no retryStrategy.
func (r *argoRun) retryNode(id string) (node map[string]any, attempts []string) {
	for _, n := range r.nodes {
		if n["type"] != "Retry" {
			continue
		}
		attempts = nil
		mine := false
		children, _ := n["children"].([]any)
		for _, child := range children {
			of, _ := child.(string)
			if retried, _ := fieldpath.Find(r.nodes[of], "nodeFlag", "retried"); retried == true {
				attempts = append(attempts, of)
				mine = mine || of == id
			}
		}
		if mine {
			return n, attempts
		}
	}
	return nil, nil
}

// stepOf returns the display name of a node.
func stepOf(node map[string]any, id string) string {
	if name, _ := node["displayName"].(string); name != "" {
		return name
	}
	return id
}

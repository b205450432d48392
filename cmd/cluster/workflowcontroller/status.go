package workflowcontroller

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
)

// statusOf returns the status of a Workflow in the format of Argo Workflows 3.7: nodes are
// keyed by ID, and the ID of the entrypoint is the name of the Workflow.
func statusOf(r *workflow.Run) map[string]any {
	status := map[string]any{"phase": string(r.Phase), "startedAt": formatTime(r.StartedAt), "progress": r.Progress()}
	setNonEmpty(status, "message", r.Message)
	setNonEmpty(status, "finishedAt", formatTime(r.FinishedAt))
	nodes := map[string]any{}
	for i := range r.Steps {
		addNodes(nodes, r, &r.Steps[i])
	}
	for i := range r.Steps {
		addChildren(nodes, r, &r.Steps[i])
	}
	if len(nodes) > 0 {
		status["nodes"] = nodes
	}
	return status
}

// formatTime formats a time like Kubernetes; "" for the zero time.
func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func setNonEmpty(into map[string]any, field, text string) {
	if text != "" {
		into[field] = text
	}
}

// nodeName returns Argo's name of a node: the Workflow's name and the path of tasks.
func nodeName(r *workflow.Run, path string) string {
	if path == "" {
		return r.Name
	}
	return r.Name + "." + path
}

// nodeID returns Argo's ID of a node: the Workflow's name, with a hash of the node's name
// for all but the entrypoint.
func nodeID(r *workflow.Run, name string) string {
	if name == r.Name {
		return name
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // never fails
	return fmt.Sprintf("%s-%v", r.Name, h.Sum32())
}

// addNodes adds the node of a step, and those of its attempts if it has a retryStrategy.
func addNodes(nodes map[string]any, r *workflow.Run, s *workflow.Step) {
	if s.Phase == "" {
		return
	}
	name := nodeName(r, s.Path)
	kind := "Pod"
	switch {
	case s.Phase == workflow.Omitted:
		kind = "Skipped"
	case s.DAG:
		kind = "DAG"
	case s.Retries:
		kind = "Retry"
	}
	node := newNode(r, s, name, kind, s.Phase, s.Message, s.StartedAt, s.FinishedAt)
	node["displayName"] = s.Name
	if s.Path == "" {
		node["displayName"] = r.Name
	}
	outputs := map[string]any{}
	if parameters := parametersOf(s.Outputs); len(parameters) > 0 {
		outputs["parameters"] = parameters
	}
	if parameters := parametersOf(s.Inputs); len(parameters) > 0 {
		node["inputs"] = map[string]any{"parameters": parameters}
	}
	if n := len(s.Attempts); n > 0 {
		last := &s.Attempts[n-1]
		if kind == "Retry" {
			var children []any
			for i := range s.Attempts {
				children = append(children, addAttempt(nodes, r, s, i))
			}
			node["children"] = children
		} else {
			setNonEmpty(node, "hostNodeName", last.Node)
		}
		if last.ExitCode != nil {
			outputs["exitCode"] = strconv.Itoa(*last.ExitCode)
		}
	}
	if len(outputs) > 0 {
		node["outputs"] = outputs
	}
	nodes[nodeID(r, name)] = node
}

func newNode(r *workflow.Run, s *workflow.Step, name, kind string, phase workflow.Phase, message string, started, ended time.Time) map[string]any {
	node := map[string]any{
		"id": nodeID(r, name), "name": name, "type": kind, "phase": string(phase), "startedAt": formatTime(started),
		"templateName": s.Template, "templateScope": "local/" + r.Name,
	}
	setNonEmpty(node, "message", message)
	setNonEmpty(node, "finishedAt", formatTime(ended))
	if s.Path != "" {
		node["boundaryID"] = nodeID(r, nodeName(r, s.Parent))
	}
	return node
}

// addAttempt adds the node of an attempt, and returns its ID.
func addAttempt(nodes map[string]any, r *workflow.Run, s *workflow.Step, i int) string {
	a := &s.Attempts[i]
	name := fmt.Sprintf("%s(%d)", nodeName(r, s.Path), i)
	node := newNode(r, s, name, "Pod", a.Phase, a.Message, a.StartedAt, a.FinishedAt)
	node["displayName"] = fmt.Sprintf("%s(%d)", s.Name, i)
	node["nodeFlag"] = map[string]any{"retried": true}
	setNonEmpty(node, "hostNodeName", a.Node)
	if a.ExitCode != nil {
		node["outputs"] = map[string]any{"exitCode": strconv.Itoa(*a.ExitCode)}
	}
	id := nodeID(r, name)
	nodes[id] = node
	return id
}

// addChildren adds a node to the children of its dependencies, or of its dag.
func addChildren(nodes map[string]any, r *workflow.Run, s *workflow.Step) {
	id := nodeID(r, nodeName(r, s.Path))
	if s.Path == "" || nodes[id] == nil {
		return
	}
	parents := s.Needs
	if len(parents) == 0 {
		parents = []string{s.Parent}
	}
	for _, path := range parents {
		if parent, ok := nodes[nodeID(r, nodeName(r, path))].(map[string]any); ok {
			children, _ := parent["children"].([]any)
			parent["children"] = append(children, id)
		}
	}
}

func parametersOf(values map[string]string) []any {
	var out []any
	for _, name := range slices.Sorted(maps.Keys(values)) {
		out = append(out, map[string]any{"name": name, "value": values[name]})
	}
	return out
}

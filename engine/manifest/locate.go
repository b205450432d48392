package manifest

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// Mistaken is a mistake about a field of this agent, at its place in the file: for
// those who find out later what reading can't know, such as a strategy that is not
// there. Field is a path like "spec.strategies[1]"; the place is that of the
// nearest field that was written.
func (a *Agent) Mistaken(field, message, fix string) mistake.Mistake {
	m := mistake.Mistake{File: a.File, Line: a.Line, Column: 1, Path: field, Message: message, Fix: fix}
	if n := locate(a.node, field); n != nil {
		m.Line, m.Column = n.Line, n.Column
	}
	return m
}

func locate(n *yaml.Node, path string) *yaml.Node {
	for n != nil && path != "" {
		for n.Kind == yaml.AliasNode {
			n = n.Alias
		}
		if n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
			n = n.Content[0]
			continue
		}
		var next *yaml.Node
		step, rest := nextStep(path)
		if i, err := strconv.Atoi(step); err == nil && n.Kind == yaml.SequenceNode && i < len(n.Content) {
			next = n.Content[i]
		} else if n.Kind == yaml.MappingNode {
			for i := 0; i+1 < len(n.Content); i += 2 {
				if n.Content[i].Value == step {
					next = n.Content[i+1]
				}
			}
		}
		if next == nil {
			return n
		}
		n, path = next, rest
	}
	return n
}

// nextStep cuts "strategies[1].x" into "strategies" and "1].x", and that into "1" and "x".
func nextStep(path string) (step, rest string) {
	i := strings.IndexAny(path, ".[]")
	if i < 0 {
		return path, ""
	}
	return path[:i], strings.TrimLeft(path[i:], ".[]")
}

package manifest

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/scanflow-k8s/scanflow/engine/policy/spelling"
)

// class tells Agents from other documents, by its apiVersion, its kind and the fields of its spec.
type class struct {
	// isAgent says that it is, or looks like, an Agent. why is set if it can't be read as one.
	isAgent bool
	// isList says that it is a List; why is set if its kind is misspelt.
	isList bool
	why    string
	// name is the kind, for messages; of a misspelt List the right one.
	name string
}

// ownGroup is the API group of Agents.
const ownGroup = "scanflow.dev"

// agentFields are those of an Agent's spec by which one is known without its kind. Others
// (mode, role, params) are frequent in other kinds.
var agentFields = []string{"targets", "triggers", "sensors", "strategies", "primitives"}

// classify decides whether a document is skipped. What looks like an Agent with a mistake in
// its apiVersion or kind is an Agent, so that it is reported.
func classify(node *yaml.Node) class {
	switch node.Kind {
	case yaml.SequenceNode:
		for _, item := range node.Content {
			if item.Kind == yaml.MappingNode && classify(item).isAgent {
				return class{isAgent: true}
			}
		}
		return class{name: "list without kind"}
	case yaml.MappingNode:
	default:
		return class{name: "text without kind"}
	}
	if kinds := kindsOf(node); slices.Contains(kinds, Kind) && kinds[0] != Kind {
		return class{isAgent: true, why: "kind is written twice, and one is " + Kind}
	}
	apiVersion, kind := textOf(node, "apiVersion"), textOf(node, "kind")
	for _, list := range []string{"List", Kind + "List"} {
		if strings.EqualFold(kind, list) {
			out := class{isList: true, name: list}
			if kind != list {
				out.why = "kind: " + quote(kind) + " is not known here"
			}
			return out
		}
	}
	group, _, grouped := strings.Cut(apiVersion, "/")
	ours := closest(apiVersion, []string{APIVersion}) != "" || strings.Contains(strings.ToLower(apiVersion), "scanflow")
	named := strings.EqualFold(kind, Kind) || strings.EqualFold(kind, Plural)
	fields := agentFieldsOf(node)
	switch {
	case ours && group == ownGroup && kind == "Ledger":
		return class{name: kind}
	case ours, apiVersion == "" && (named || spelling.Distance(kind, Kind) == 1):
		return class{isAgent: true}
	case kind == "" && len(fields) > 0:
		return class{isAgent: true}
	case len(fields) > 1, named && len(fields) == 1:
		return class{isAgent: true, why: fmt.Sprintf("the object has fields of an Agent (%s), and is a %s of %s", list(fields), quote(kind), quote(apiVersion))}
	case named && (!grouped || !strings.Contains(group, ".")): // Kubernetes' own groups have no such kind
		return class{isAgent: true, why: fmt.Sprintf("the object is a %s of %s, which has no such kind", quote(kind), quote(apiVersion))}
	case named:
		return class{name: kindName(kind) + " of " + kindName(group)}
	case kind == "":
		return class{name: "mapping without kind"}
	}
	return class{name: kindName(kind)}
}

// agentFieldsOf lists the fields of the spec by which an Agent is known.
func agentFieldsOf(node *yaml.Node) []string {
	var found []string
	spec := valueOf(node, "spec")
	for _, name := range agentFields {
		if valueOf(spec, name) != nil {
			found = append(found, name)
		}
	}
	return found
}

// kindName is a kind or a group as messages show it.
func kindName(kind string) string {
	plain := func(r rune) bool {
		return r == '-' || r == '.' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
	}
	if len(kind) <= shownLength && allRunes(kind, plain) {
		return kind
	}
	return quote(kind)
}

// valueOf returns the value of a mapping's field, or of one that differs in case only or is
// merged (<<); nil if there is none.
func valueOf(node *yaml.Node, name string) *yaml.Node {
	if node == nil || node.Kind != yaml.MappingNode {
		return nil
	}
	var near *yaml.Node
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		switch {
		case key.Kind != yaml.ScalarNode:
		case key.Value == name:
			return resolved(node.Content[i+1])
		case near == nil && key.ShortTag() == "!!merge": // rejected later, if this is an Agent
			near = fieldOf(resolved(node.Content[i+1]), name)
		case near == nil && strings.EqualFold(key.Value, name):
			near = resolved(node.Content[i+1])
		}
	}
	return near
}

// fieldOf returns the value of a mapping's field; nil if there is none.
func fieldOf(node *yaml.Node, name string) *yaml.Node {
	_, value, there := root("").field(name).find(node)
	if !there {
		return nil
	}
	return resolved(value)
}

// kindsOf lists the texts under kind, which may be written more than once.
func kindsOf(node *yaml.Node) (kinds []string) {
	for i := 0; i+1 < len(node.Content); i += 2 {
		if key, value := node.Content[i], resolved(node.Content[i+1]); key.Kind == yaml.ScalarNode && key.Value == "kind" && value.Kind == yaml.ScalarNode {
			kinds = append(kinds, value.Value)
		}
	}
	return kinds
}

func resolved(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode && node.Alias != nil {
		return node.Alias
	}
	return node
}

// textOf returns the text of a mapping's field; "" if it has none.
func textOf(node *yaml.Node, name string) string {
	if value := valueOf(node, name); value != nil && value.Kind == yaml.ScalarNode && value.ShortTag() != "!!null" {
		return value.Value
	}
	return ""
}

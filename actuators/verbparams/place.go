package verbparams

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine/labelrules"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// Place are the parameters of `place`.
type Place struct {
	Placement
	Template string `json:"template" doc:"name of a WorkflowTemplate in the target's namespace: it is placed, not the target, so that its runs to come have the terms from their start"`
	Workflow string `json:"workflow" doc:"name of a run, an Argo Workflow in the target's namespace: it is placed, not the target; without move, only while it has not started"`
	Move     bool   `json:"move" doc:"with template or workflow: runs under way are placed too, and those of their steps that run where they may no longer be are ended, and begun again elsewhere as a retry of the step; absent: what runs is left alone"`
	Remove   bool   `json:"remove" doc:"true takes away the terms and the node labels that are named, if Scanflow put them there"`
}

// Check returns the mistakes in the values.
func (w Place) Check() mistake.Mistakes {
	if w.Empty() {
		return mistake.Mistakes{{Message: "must say where: set antiAffinity, affinity or nodeSelector"}}
	}
	out := w.check()
	if w.Template != "" && w.Workflow != "" {
		out.Add("workflow", "goes without template, which names the runs of that template", "name one of them")
	}
	if w.Move && w.Template == "" && w.Workflow == "" {
		out.Add("move", "is for the steps of runs", "name their template, or one run by workflow (the pods of a workload are replaced in any case)")
	}
	if w.Move && w.Remove {
		out.Add("move", "nothing has to move where a term is taken away", "leave one of move and remove out")
	}
	return out
}

// Placement restricts the nodes that pods may run on.
type Placement struct {
	AntiAffinity *Near             `json:"antiAffinity" doc:"pods to keep away from"`
	Affinity     *Near             `json:"affinity" doc:"pods to stay near to"`
	NodeSelector map[string]string `json:"nodeSelector" doc:"labels that a node must have"`
}

// Empty reports whether there is no restriction.
func (p Placement) Empty() bool {
	return p.AntiAffinity == nil && p.Affinity == nil && len(p.NodeSelector) == 0
}

// check returns the mistakes in the node labels; those of a Near are its Check's.
func (p Placement) check() mistake.Mistakes {
	return labelrules.Mistakes("nodeSelector", p.NodeSelector)
}

// Near selects pods, and the topology in which another pod counts as near to them.
type Near struct {
	MatchLabels map[string]string `json:"matchLabels" required:"true" doc:"labels of those pods"`
	TopologyKey string            `json:"topologyKey" default:"kubernetes.io/hostname" doc:"label of nodes: those with the same value are one place"`
	Required    bool              `json:"required" default:"true" doc:"false: the scheduler prefers it, with weight 100, and places the pods elsewhere where it must"`
	Namespaces  []string          `json:"namespaces" doc:"where those pods are; absent: in the namespace of the pods that are placed"`
}

// Check returns the mistakes in the values.
func (n Near) Check() mistake.Mistakes {
	var out mistake.Mistakes
	if n.TopologyKey == "" {
		out.Add("topologyKey", "must not be empty", "")
	}
	out = append(out, labelrules.Mistakes("matchLabels", n.MatchLabels)...)
	for i, ns := range n.Namespaces {
		if !labelrules.Namespace(ns) {
			out.Add(fmt.Sprintf("namespaces[%d]", i), "must be the name of a namespace", "")
		}
	}
	return out
}

// Words describes the pods and the topology, for a person to read.
func (n *Near) Words(required bool) string {
	var labels []string
	for _, k := range slices.Sorted(maps.Keys(n.MatchLabels)) {
		labels = append(labels, k+"="+n.MatchLabels[k])
	}
	words := "those with " + strings.Join(labels, ",")
	if len(n.Namespaces) > 0 {
		words += " in " + strings.Join(n.Namespaces, " and ")
	}
	how := "preferred"
	if required {
		how = "required"
	}
	return fmt.Sprintf("%s, by %s, %s", words, n.TopologyKey, how)
}

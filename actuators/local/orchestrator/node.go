package orchestrator

import (
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
)

// Node is a named part of this machine that pods are scheduled on.
type Node struct {
	Name string
	// Cores are those that its pods run on; none stands for all. Nodes may share cores.
	Cores pod.Cores
}

// String formats the node as ParseNode parses it.
func (n Node) String() string {
	if len(n.Cores) == 0 {
		return n.Name
	}
	return n.Name + "=" + n.Cores.String()
}

// ParseNode parses NAME, or NAME=CORES such as "a=0-1" (see pod.ParseCores).
func ParseNode(text string) (Node, error) {
	name, list, given := strings.Cut(text, "=")
	n := Node{Name: name}
	if given {
		var err error
		if n.Cores, err = pod.ParseCores(list); err != nil {
			return n, err
		}
	}
	return n, nil
}

// Check returns every mistake in a node.
func (n Node) Check() error {
	var errs []error
	if why := validation.IsDNS1123Subdomain(n.Name); len(why) > 0 {
		errs = append(errs, fmt.Errorf("the name %q: %s", n.Name, strings.Join(why, "; ")))
	}
	return errors.Join(append(errs, n.Cores.Check())...)
}

// checkNodes returns every mistake in the nodes, and between them.
func checkNodes(list []Node) error {
	var errs []error
	seen := map[string]bool{}
	for _, n := range list {
		if err := n.Check(); err != nil {
			errs = append(errs, fmt.Errorf("node %s: %w", n, err))
		}
		if seen[n.Name] {
			errs = append(errs, fmt.Errorf("node %s: is named twice; name it once", n.Name))
		}
		seen[n.Name] = true
	}
	return errors.Join(errs...)
}

func (o *Options) nodeNames() []string {
	names := make([]string, len(o.Nodes))
	for i, n := range o.Nodes {
		names[i] = n.Name
	}
	return names
}

// coresOf returns the cores of a node, none for an unknown one.
func (o *Options) coresOf(node string) pod.Cores {
	for _, n := range o.Nodes {
		if n.Name == node {
			return n.Cores
		}
	}
	return nil
}

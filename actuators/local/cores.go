package local

import (
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
)

// Node is a name that pods are spread over, and the cores of this machine that they run
// on there.
type Node struct {
	Name string
	// Cores are shared with every other node that has them too; none: all cores.
	Cores pod.Cores
}

// String writes the node as ParseNode reads it.
func (n Node) String() string {
	if len(n.Cores) == 0 {
		return n.Name
	}
	return n.Name + "=" + n.Cores.String()
}

// ParseNode reads NAME, or NAME=CORES with the cores as pod.ParseCores reads them:
// "a=0-1".
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

// Check names what is wrong with a node by itself.
func (n Node) Check() error {
	var errs []error
	if why := validation.IsDNS1123Subdomain(n.Name); len(why) > 0 {
		errs = append(errs, fmt.Errorf("the name %q: %s", n.Name, strings.Join(why, "; ")))
	}
	return errors.Join(append(errs, n.Cores.Check())...)
}

// checkNodes names every mistake in the nodes.
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

// coresOf are the cores of a node; none for one that is no more.
func (o *Options) coresOf(node string) pod.Cores {
	for _, n := range o.Nodes {
		if n.Name == node {
			return n.Cores
		}
	}
	return nil
}

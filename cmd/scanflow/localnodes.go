package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
)

// nodeFlags name the local orchestrator's nodes: with --nodes they share all cores, with
// --node each has its own.
type nodeFlags struct {
	names []string
	specs []string
}

func (o *nodeFlags) add(f *pflag.FlagSet) {
	listFlag(f, &o.names, "nodes", "", "names of the nodes that the local orchestrator spreads pods over (node-0,node-1,node-2)")
	f.StringArrayVar(&o.specs, "node", nil, "instead of --nodes, once for each: NAME, or NAME=CORES with the cores of this machine that its pods run on, as a=0-1 or b=2,3 (Linux)")
}

// read parses the flags and reports every mistake. Without flags it returns nil, for the
// orchestrator's default nodes.
func (o *nodeFlags) read(kubernetes bool) ([]orchestrator.Node, error) {
	if kubernetes {
		return nil, o.refuse("with --kubernetes the cluster has its own nodes")
	}
	if len(o.names) > 0 && len(o.specs) > 0 {
		return nil, o.refuse("one of them names all nodes; write --node once for each")
	}
	var out []orchestrator.Node
	var errs []error
	seen := map[string]bool{}
	add := func(flag, text string, n orchestrator.Node, err error) {
		if err == nil {
			err = n.Check()
		}
		if err == nil && seen[n.Name] {
			err = errors.New("the name is another node's already; name each once")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s %s: %w", flag, text, err))
		}
		seen[n.Name] = true
		out = append(out, n)
	}
	for _, name := range o.names {
		var err error
		if strings.Contains(name, "=") {
			err = fmt.Errorf("cores go with --node %s, once for each node", name)
		}
		add("--nodes", name, orchestrator.Node{Name: name}, err)
	}
	for _, text := range o.specs {
		n, err := orchestrator.ParseNode(text)
		add("--node", text, n, err)
	}
	return out, errors.Join(errs...)
}

func (o *nodeFlags) refuse(why string) error {
	var errs []error
	if len(o.names) > 0 {
		errs = append(errs, errors.New("--nodes: "+why))
	}
	if len(o.specs) > 0 {
		errs = append(errs, errors.New("--node: "+why))
	}
	return errors.Join(errs...)
}

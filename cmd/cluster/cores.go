package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
)

func (o *upOptions) nodeNames() []string {
	var names []string
	for i := range o.nodes {
		names = append(names, fmt.Sprintf("node-%d", i+1))
	}
	return names
}

// coresOfNodes parses --cores. The error joins every mistake.
func (o *upOptions) coresOfNodes() (map[string]pod.Cores, error) {
	out := map[string]pod.Cores{}
	names := o.nodeNames()
	var errs []error
	for _, text := range o.cores {
		name, list, given := strings.Cut(text, "=")
		var cores pod.Cores
		err := errors.New("wants NODE=CORES, as node-1=0")
		if given {
			if cores, err = pod.ParseCores(list); err == nil {
				err = cores.Check()
			}
		}
		switch _, twice := out[name]; {
		case err != nil:
		case !slices.Contains(names, name):
			err = fmt.Errorf("there is no such node that runs processes; these are: %s", strings.Join(names, ", "))
		case twice:
			err = errors.New("the node has its cores already; name it once, as node-1=0,1")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("--cores %s: %w", text, err))
			continue
		}
		out[name] = cores
	}
	return out, errors.Join(errs...)
}

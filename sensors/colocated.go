package sensors

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/labelrules"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// ColocatedConfig samples how many other pods share a node with the target's own: batch
// work that may interfere with it.
//
// The value is a number. 0 is measured: the target runs, and none of those pods is where
// it does. A target none of whose pods has a node shares nothing, and nothing was
// measured: it is empty.
type ColocatedConfig struct {
	MatchLabels map[string]string `json:"matchLabels" required:"true" doc:"labels of the other pods, each with exactly this value; on a laptop steps of workflows are pods too"`
	Namespaces  []string          `json:"namespaces,omitempty" doc:"where the other pods are; absent: in the target's namespace"`
}

// ValueType is the JSON type that the signal's value has.
func (c *ColocatedConfig) ValueType() string { return "number" }

// Check finds a selector that takes every pod, and bad namespaces.
func (c *ColocatedConfig) Check() (mistakes mistake.Mistakes) {
	if len(c.MatchLabels) == 0 {
		mistakes.Add("matchLabels", "is empty, and would take every pod", "name a label of the pods to look for")
	}
	mistakes = append(mistakes, labelrules.Mistakes("matchLabels", c.MatchLabels)...)
	for i, namespace := range c.Namespaces {
		if !labelrules.Namespace(namespace) {
			mistakes.Add(fmt.Sprintf("namespaces[%d]", i), "must be the name of a namespace", "")
		}
	}
	return mistakes
}

// podsEverywhere is an orchestrator that knows all pods. read gives every pod
// of the labels in some namespaces that has a node and has not ended; none named is all
// in sight. release tells that no more is read.
type podsEverywhere interface {
	Pods(matchLabels map[string]string) (
		read func(ctx context.Context, namespaces []string, each func(namespace, name, node string)) error,
		release func(), err error)
}

type colocated struct {
	*ColocatedConfig
	of      engine.Orchestrator
	read    func(ctx context.Context, namespaces []string, each func(namespace, name, node string)) error
	release func()
}

func newColocated(c *ColocatedConfig, env Env) (engine.Sensor, error) {
	known, can := env.Workloads.(podsEverywhere)
	if !can {
		return nil, errors.New("no orchestrator runs here, so there are no pods to look at; use another kind of sensor")
	}
	if err := c.Check().Err(); err != nil {
		return nil, err
	}
	s := &colocated{ColocatedConfig: c, of: env.Workloads}
	var err error
	s.read, s.release, err = known.Pods(c.MatchLabels)
	return s, err
}

// Release ends the following of the pods, unless others need it.
func (s *colocated) Release() { s.release() }

// podName is a pod among all.
type podName struct{ namespace, name string }

// Sample passes once over the other pods for the whole fleet.
func (s *colocated) Sample(ctx context.Context, at time.Time, fleet []engine.Target) (engine.Reading, error) {
	out := make(engine.Reading, len(fleet))
	if len(fleet) == 0 { // then no namespace is named, which would be all of them
		return out, nil
	}
	namespaces := s.Namespaces
	if len(namespaces) == 0 {
		if one := namespaceOf(fleet); one != "" {
			namespaces = []string{one}
		}
	}
	on := map[string][]podName{} // by node
	if err := s.read(ctx, namespaces, func(namespace, name, node string) {
		on[node] = append(on[node], podName{namespace, name})
	}); err != nil {
		return nil, fmt.Errorf("read pods: %w", err)
	}
	for i := range fleet {
		out[i] = s.signal(at, &fleet[i], on)
	}
	return out, nil
}

func (s *colocated) signal(at time.Time, target *engine.Target, on map[string][]podName) engine.Signal {
	w, known := s.of.Workload(target.ID())
	if !known {
		return engine.Signal{State: engine.Empty, Problem: "the orchestrator runs no such workload"}
	}
	nodes, own := map[string]bool{}, map[podName]bool{}
	for _, p := range w.Pods {
		own[podName{target.Namespace, p.Name}] = true
		if p.Node != "" {
			nodes[p.Node] = true
		}
	}
	if len(nodes) == 0 {
		return engine.Signal{State: engine.Empty, Problem: "no pod of the workload has a node"}
	}
	beside := 0
	for node := range nodes {
		for _, p := range on[node] {
			if !own[p] && (len(s.Namespaces) > 0 || p.namespace == target.Namespace) {
				beside++
			}
		}
	}
	return engine.Signal{State: engine.OK, Value: float64(beside), At: at}
}

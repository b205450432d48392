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

// ColocatedConfig samples how many other pods share a node with the target's own pods, such as
// batch jobs that may interfere with it.
//
// The value is a number. 0 means that the target runs and none of the other pods is on its
// nodes. If no pod of the target has a node, nothing was measured and the signal is empty.
type ColocatedConfig struct {
	MatchLabels map[string]string `json:"matchLabels" required:"true" doc:"labels of the other pods, each with exactly this value; on a laptop steps of workflows are pods too"`
	Namespaces  []string          `json:"namespaces,omitempty" doc:"where the other pods are; absent: in the target's namespace"`
}

// ValueType returns the JSON type of the signal's value.
func (c *ColocatedConfig) ValueType() string { return "number" }

// Check returns a selector that matches every pod, and invalid namespaces.
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

// podLister is an orchestrator that lists pods. read calls each for every pod with the labels
// in the namespaces that has a node and has not ended; without namespaces, for those in all of
// them. release stops watching the pods.
type podLister interface {
	Pods(matchLabels map[string]string) (
		read func(ctx context.Context, namespaces []string, each func(namespace, name, node string)) error,
		release func(), err error)
}

type colocated struct {
	*ColocatedConfig
	orchestrator engine.Orchestrator
	read         func(ctx context.Context, namespaces []string, each func(namespace, name, node string)) error
	release      func()
}

func newColocated(c *ColocatedConfig, env Env) (engine.Sensor, error) {
	lister, ok := env.Workloads.(podLister)
	if !ok {
		return nil, errors.New("no orchestrator runs here, so there are no pods to look at; use another kind of sensor")
	}
	if err := c.Check().Err(); err != nil {
		return nil, err
	}
	s := &colocated{ColocatedConfig: c, orchestrator: env.Workloads}
	var err error
	s.read, s.release, err = lister.Pods(c.MatchLabels)
	return s, err
}

// Release stops watching the pods.
func (s *colocated) Release() { s.release() }

// podName identifies a pod.
type podName struct{ namespace, name string }

// Sample reads the other pods once for the whole fleet.
func (s *colocated) Sample(ctx context.Context, at time.Time, fleet []engine.Target) (engine.Reading, error) {
	out := make(engine.Reading, len(fleet))
	if len(fleet) == 0 { // without a namespace, all of them would be read
		return out, nil
	}
	namespaces := s.Namespaces
	if len(namespaces) == 0 {
		if one := namespaceOf(fleet); one != "" {
			namespaces = []string{one}
		}
	}
	byNode := map[string][]podName{}
	if err := s.read(ctx, namespaces, func(namespace, name, node string) {
		byNode[node] = append(byNode[node], podName{namespace, name})
	}); err != nil {
		return nil, fmt.Errorf("read pods: %w", err)
	}
	for i := range fleet {
		out[i] = s.signal(at, &fleet[i], byNode)
	}
	return out, nil
}

func (s *colocated) signal(at time.Time, target *engine.Target, byNode map[string][]podName) engine.Signal {
	w, known := s.orchestrator.Workload(target.ID())
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
	neighbours := 0
	for node := range nodes {
		for _, p := range byNode[node] {
			if !own[p] && (len(s.Namespaces) > 0 || p.namespace == target.Namespace) {
				neighbours++
			}
		}
	}
	return engine.Signal{State: engine.OK, Value: float64(neighbours), At: at}
}

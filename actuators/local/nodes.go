package local

import (
	"errors"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
)

// placed is everything that has a node: pods, and steps of workflows. It is called
// with mu held.
func (o *Orchestrator) placed() []placement {
	var out []placement
	for _, r := range o.replicas {
		if r.rec.Node != "" {
			out = append(out, r.placement())
		}
	}
	for _, s := range o.steps {
		out = append(out, s)
	}
	return out
}

// nodes gives the steps of workflows their nodes, as pods get theirs.
type nodes struct{ o *Orchestrator }

var _ workflow.Placer = nodes{}

func placementOf(p workflow.Pod, node string) placement {
	return placement{node: node, workload: key{p.Namespace, p.Run}, labels: p.Labels, spec: p.Spec}
}

// Place waits for the first Apply: until then it isn't known which pods there are.
func (n nodes) Place(p workflow.Pod) (string, error) {
	n.o.mu.Lock()
	defer n.o.mu.Unlock()
	if !n.o.applied {
		return "", errors.New("waits until the workloads are known")
	}
	node, err := place(n.o.opts.nodeNames(), placementOf(p, ""), n.o.placed())
	if err != nil {
		return "", err
	}
	n.o.steps[p.UID] = placementOf(p, node)
	return node, nil
}

// Cores are those of a node that Place has chosen.
func (n nodes) Cores(node string) pod.Cores { return n.o.opts.coresOf(node) }

func (n nodes) Adopt(p workflow.Pod, node string) {
	n.o.mu.Lock()
	defer n.o.mu.Unlock()
	n.o.steps[p.UID] = placementOf(p, node)
}

func (n nodes) Release(uid string) {
	n.o.mu.Lock()
	defer n.o.mu.Unlock()
	delete(n.o.steps, uid)
	n.o.notifyLocked()
	n.o.wake() // a pod may wait for the node
}

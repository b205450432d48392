package orchestrator

import (
	"errors"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
)

// stepPlacer gives the steps of workflows their nodes, by the rules for pods.
type stepPlacer struct{ o *Orchestrator }

var _ workflow.Placer = stepPlacer{}

func stepInfo(p workflow.Pod, node string) podInfo {
	return podInfo{node: node, workload: named(p.Namespace, p.Run), labels: p.Labels, spec: p.Spec}
}

// Place fails until the first Apply, before which the adopted pods are not known.
func (s stepPlacer) Place(p workflow.Pod) (string, error) {
	s.o.mu.Lock()
	defer s.o.mu.Unlock()
	if !s.o.applied {
		return "", errors.New("waits until the workloads are known")
	}
	node, err := schedule(s.o.opts.nodeNames(), stepInfo(p, ""), s.o.running())
	if err != nil {
		return "", err
	}
	s.o.steps[p.UID] = stepInfo(p, node)
	return node, nil
}

func (s stepPlacer) Cores(node string) pod.Cores { return s.o.opts.coresOf(node) }

func (s stepPlacer) Adopt(p workflow.Pod, node string) {
	s.o.mu.Lock()
	defer s.o.mu.Unlock()
	s.o.steps[p.UID] = stepInfo(p, node)
}

func (s stepPlacer) Release(uid string) {
	s.o.mu.Lock()
	defer s.o.mu.Unlock()
	delete(s.o.steps, uid)
	s.o.notifyLocked()
	s.o.wake() // a pod may wait for the node
}

// running returns the pods and steps that have a node. It is called with mu held.
func (o *Orchestrator) running() []podInfo {
	var out []podInfo
	for _, r := range o.replicas {
		if r.rec.Node != "" {
			out = append(out, r.info())
		}
	}
	for _, s := range o.steps {
		out = append(out, s)
	}
	return out
}

// mayStay returns the reason that a step may not be on a node, "" if it may. Pods that
// terminate don't count.
func (o *Orchestrator) mayStay(p workflow.Pod, node string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var others []podInfo
	for _, r := range o.replicas {
		if r.rec.Node != "" && !r.terminating {
			others = append(others, r.info())
		}
	}
	for uid, s := range o.steps {
		if uid != p.UID {
			others = append(others, s)
		}
	}
	return filter(node, stepInfo(p, ""), others)
}

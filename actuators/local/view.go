package local

import (
	"context"
	"net"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/scanflow-k8s/scanflow/engine"
)

var _ engine.Orchestrator = (*Orchestrator)(nil)

// ModelAnnotation, on a pod template, says which model version the pods serve.
const ModelAnnotation = "scanflow.dev/model"

// Fleet finds the Deployments, WorkflowTemplates or CronJobs that a selector names.
func (o *Orchestrator) Fleet(s engine.Selector) (engine.Fleet, error) {
	if err := selectable(s); err != nil {
		return nil, err
	}
	return fleet{o, s}, nil
}

// isSelected tells whether a Deployment is among those that a selector names.
func isSelected(s engine.Selector, k key, has map[string]string) bool {
	return (s.Namespace == "" || s.Namespace == k.namespace) && labels.SelectorFromSet(s.MatchLabels).Matches(labels.Set(has))
}

type fleet struct {
	o *Orchestrator
	s engine.Selector
}

// Targets are the objects as they are now.
func (f fleet) Targets(context.Context) ([]engine.Target, error) {
	f.o.mu.Lock()
	defer f.o.mu.Unlock()
	if f.o.closed {
		return nil, ErrClosed
	}
	if f.s.Kind != kindDeployment {
		return templateTargets(f.s, f.o.templates, f.o.cronJobs), nil
	}
	var out []engine.Target
	for _, k := range keysOf(f.o.deploys) {
		d := f.o.deploys[k]
		if !isSelected(f.s, k, d.spec.Labels) {
			continue
		}
		w := f.o.workload(k, d)
		t := engine.Target{
			APIVersion: "apps/v1", Kind: kindDeployment, Namespace: k.namespace, Name: k.name, Labels: d.spec.Labels,
			Replicas: &engine.Replicas{Desired: w.Desired, Ready: w.Ready},
			Model:    d.template.Annotations[ModelAnnotation], Placement: []string{},
		}
		for _, p := range w.Pods {
			if p.Node != "" {
				t.Placement = append(t.Placement, p.Node)
			}
		}
		slices.Sort(t.Placement)
		t.Placement = slices.Compact(t.Placement)
		out = append(out, t)
	}
	return out, nil
}

// Workload is the state of one Deployment.
func (o *Orchestrator) Workload(id engine.TargetID) (engine.Workload, bool) {
	if id.Kind != "" && id.Kind != kindDeployment {
		return engine.Workload{}, false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	k := key{id.Namespace, id.Name}
	d := o.deploys[k]
	if d == nil {
		return engine.Workload{}, false
	}
	return o.workload(k, d), true
}

// workload leaves out the pods that drain: no request goes to them any more.
func (o *Orchestrator) workload(k key, d *deployment) engine.Workload {
	w := engine.Workload{Desired: d.desired(), Restarts: d.gone}
	for _, r := range o.of(k) {
		w.Restarts += r.status.Restarts
		if r.going {
			continue
		}
		p := engine.Pod{Name: r.rec.Name, Node: r.rec.Node, Ready: r.ready(), Restarts: r.status.Restarts, Ports: map[string]string{}}
		for _, port := range r.status.Ports {
			at := net.JoinHostPort("127.0.0.1", strconv.Itoa(port.Host))
			p.Ports[strconv.Itoa(int(port.Container))] = at
			if port.Name != "" {
				p.Ports[port.Name] = at
			}
		}
		if p.Ready {
			w.Ready++
		}
		w.Pods = append(w.Pods, p)
	}
	return w
}

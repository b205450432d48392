package orchestrator

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
	"github.com/scanflow-k8s/scanflow/engine"
)

var _ engine.Orchestrator = (*Orchestrator)(nil)

// Fleet returns the fleet of Deployments, WorkflowTemplates or CronJobs that a selector
// selects.
func (o *Orchestrator) Fleet(s engine.Selector) (engine.Fleet, error) {
	if err := selectable(s); err != nil {
		return nil, err
	}
	return fleet{o, s}, nil
}

// isSelected reports whether a selector selects an object.
func isSelected(s engine.Selector, k types.NamespacedName, has map[string]string) bool {
	return (s.Namespace == "" || s.Namespace == k.Namespace) && labels.SelectorFromSet(s.MatchLabels).Matches(labels.Set(has))
}

type fleet struct {
	o *Orchestrator
	s engine.Selector
}

// Targets returns the selected objects in their current state.
func (f fleet) Targets(context.Context) ([]engine.Target, error) {
	f.o.mu.Lock()
	defer f.o.mu.Unlock()
	if f.o.closed {
		return nil, ErrClosed
	}
	if f.s.Kind != KindDeployment {
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
			APIVersion: "apps/v1", Kind: KindDeployment, Namespace: k.Namespace, Name: k.Name, Labels: d.spec.Labels,
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
		if f.s.Pods {
			t.SetPods(f.o.targetPods(k))
		}
		out = append(out, t)
	}
	return out, nil
}

// Workload returns the state of a Deployment.
func (o *Orchestrator) Workload(id engine.TargetID) (engine.Workload, bool) {
	if id.Kind != "" && id.Kind != KindDeployment {
		return engine.Workload{}, false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	k := named(id.Namespace, id.Name)
	d := o.deploys[k]
	if d == nil {
		return engine.Workload{}, false
	}
	return o.workload(k, d), true
}

// workload leaves terminating pods out: they take no requests. It is called with mu held.
func (o *Orchestrator) workload(k types.NamespacedName, d *deployment) engine.Workload {
	w := engine.Workload{Desired: d.desired(), Restarts: d.pastRestarts}
	for _, r := range o.podsOf(k) {
		w.Restarts += r.status.Restarts
		if r.terminating {
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

// versions maps each kind that can be a target to its API version.
var versions = map[string]string{KindDeployment: "apps/v1", KindWorkflow: "argoproj.io/v1alpha1", KindCronJob: "batch/v1"}

// selectable returns an error for a selector of a kind that can't be a target.
func selectable(s engine.Selector) error {
	version, runs := versions[s.Kind]
	if !runs || s.APIVersion != "" && s.APIVersion != version {
		return fmt.Errorf("the local orchestrator runs no %s of %s; targets can be apps/v1 Deployment, argoproj.io/v1alpha1 WorkflowTemplate and batch/v1 CronJob", s.Kind, s.APIVersion)
	}
	if s.Pods && s.Kind != KindDeployment {
		return fmt.Errorf("pods: a %s has no pods of its own; leave pods out, or select Deployments", s.Kind)
	}
	return nil
}

// templateTargets returns the selected WorkflowTemplates or CronJobs. They have no replicas
// and no placement: an agent starts their runs.
func templateTargets(s engine.Selector, templates map[types.NamespacedName]*workflow.Template, jobs map[types.NamespacedName]*batchv1.CronJob) (out []engine.Target) {
	add := func(k types.NamespacedName, m *metav1.ObjectMeta) {
		if isSelected(s, k, m.Labels) {
			out = append(out, engine.Target{APIVersion: versions[s.Kind], Kind: s.Kind, Namespace: k.Namespace, Name: k.Name, Labels: m.Labels, Placement: []string{}})
		}
	}
	switch s.Kind {
	case KindWorkflow:
		for _, k := range keysOf(templates) {
			add(k, &templates[k].ObjectMeta)
		}
	case KindCronJob:
		for _, k := range keysOf(jobs) {
			add(k, &jobs[k].ObjectMeta)
		}
	}
	return out
}

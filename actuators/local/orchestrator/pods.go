package orchestrator

import (
	"context"

	"k8s.io/apimachinery/pkg/labels"
)

// Pods lists the pods and steps of workflows that have the labels and a node, for the
// sensor `colocated`. Terminating pods are listed too: they still use their node.
func (o *Orchestrator) Pods(matchLabels map[string]string) (
	read func(ctx context.Context, namespaces []string, each func(namespace, name, node string)) error,
	release func(), err error,
) {
	selector, err := labels.ValidatedSelectorFromSet(matchLabels)
	if err != nil {
		return nil, nil, err
	}
	return func(_ context.Context, namespaces []string, each func(namespace, name, node string)) error {
		return o.eachPod(selector, namespaces, each)
	}, func() {}, nil
}

func (o *Orchestrator) eachPod(selector labels.Selector, namespaces []string, each func(namespace, name, node string)) error {
	wanted := map[string]bool{}
	for _, namespace := range namespaces {
		wanted[namespace] = true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return ErrClosed
	}
	report := func(name string, p podInfo) {
		if p.node != "" && (len(wanted) == 0 || wanted[p.workload.Namespace]) && selector.Matches(labels.Set(p.labels)) {
			each(p.workload.Namespace, name, p.node)
		}
	}
	for k, r := range o.replicas {
		report(k.Name, r.info())
	}
	for uid, s := range o.steps {
		report(uid, s)
	}
	return nil
}

// Pods lists none.
func (declared) Pods(map[string]string) (
	read func(ctx context.Context, namespaces []string, each func(namespace, name, node string)) error,
	release func(), err error,
) {
	return func(context.Context, []string, func(namespace, name, node string)) error { return nil }, func() {}, nil
}

package local

import (
	"context"

	"k8s.io/apimachinery/pkg/labels"
)

// Pods reads the pods and the steps of workflows that have some labels and a node, for
// the sensor `colocated`. Those that are on their way out are among them: they still use
// their node.
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
	tell := func(name string, p placement) {
		if p.node != "" && (len(wanted) == 0 || wanted[p.workload.namespace]) && selector.Matches(labels.Set(p.labels)) {
			each(p.workload.namespace, name, p.node)
		}
	}
	for k, r := range o.replicas {
		tell(k.name, r.placement())
	}
	for uid, s := range o.steps {
		tell(uid, s)
	}
	return nil
}

// Pods are none where nothing runs.
func (declared) Pods(map[string]string) (
	read func(ctx context.Context, namespaces []string, each func(namespace, name, node string)) error,
	release func(), err error,
) {
	return func(context.Context, []string, func(namespace, name, node string)) error { return nil }, func() {}, nil
}

package clusterview

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/labels"
)

// Pods returns a reader of the pods that match labels and have a node, for the sensor
// `colocated`. Terminating pods are included, as they still use their node; pods that have
// ended are not. The first read starts informers, and release ends them. The error of read
// is temporary.
func (v *View) Pods(matchLabels map[string]string) (
	read func(ctx context.Context, namespaces []string, each func(namespace, name, node string)) error,
	release func(), err error,
) {
	matches, err := labels.ValidatedSelectorFromSet(matchLabels)
	if err != nil {
		return nil, nil, fmt.Errorf("matchLabels: %w", err)
	}
	r := &podReader{view: v, matches: matches, followed: map[string]*informer{}}
	return r.read, r.release, nil
}

type podReader struct {
	view    *View
	matches labels.Selector

	mu       sync.Mutex
	followed map[string]*informer // by namespace
}

func (r *podReader) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for namespace, inf := range r.followed {
		r.view.release(inf)
		delete(r.followed, namespace)
	}
}

// informers returns those of the namespaces to read, which fleets share.
func (r *podReader) informers(namespaces []string) ([]*informer, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []*informer
	for _, namespace := range namespaces {
		if r.followed[namespace] == nil {
			inf, err := r.view.acquire(informerKey{apiVersion: "v1", kind: "Pod", namespace: namespace, pods: true})
			if err != nil {
				return nil, err
			}
			r.followed[namespace] = inf
		}
		out = append(out, r.followed[namespace])
	}
	for namespace, inf := range r.followed {
		if !slices.Contains(namespaces, namespace) {
			r.view.release(inf)
			delete(r.followed, namespace)
		}
	}
	return out, nil
}

func (r *podReader) read(ctx context.Context, namespaces []string, each func(namespace, name, node string)) error {
	if len(namespaces) == 0 {
		namespaces = []string{r.view.namespace}
	}
	for _, namespace := range namespaces {
		if _, err := r.view.scope(namespace, "pods"); err != nil {
			return err
		}
	}
	informers, err := r.informers(namespaces)
	if err != nil {
		return err
	}
	for _, inf := range informers {
		if err := inf.ready(ctx); err != nil {
			return err
		}
	}
	for i, inf := range informers {
		for _, p := range inf.index.matching(namespaces[i], r.matches) {
			if p.node != "" && p.phase != "Succeeded" && p.phase != "Failed" {
				each(p.namespace, p.name, p.node)
			}
		}
	}
	return nil
}

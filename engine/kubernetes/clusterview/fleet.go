package clusterview

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Fleet returns the fleet of the objects that a selector matches. Its first Targets
// starts the informer. While the cluster lacks the kind, Targets returns an error.
func (v *View) Fleet(s engine.Selector) (engine.Fleet, error) {
	namespace, err := v.scope(s.Namespace, "objects of the kind "+s.Kind)
	if err != nil {
		return nil, err
	}
	matches, err := labels.ValidatedSelectorFromSet(s.MatchLabels)
	if err != nil {
		return nil, fmt.Errorf("selector: %w", err)
	}
	return &Fleet{view: v, key: informerKey{apiVersion: s.APIVersion, kind: s.Kind, namespace: namespace}, matches: matches, listsPods: s.Pods}, nil
}

// Fleet lists the targets of one agent.
type Fleet struct {
	view    *View
	key     informerKey
	matches labels.Selector
	// listsPods has the targets list their pods.
	listsPods bool

	mu  sync.Mutex
	inf *informer
}

// Release stops following the targets, unless another user does. Targets starts again.
func (f *Fleet) Release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.inf != nil {
		f.view.release(f.inf)
		f.inf = nil
	}
}

// Follow starts following the targets before the first Targets, which returns the error
// if there is one.
func (f *Fleet) Follow() { _, _ = f.informer() }

func (f *Fleet) informer() (*informer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var err error
	if f.inf == nil {
		f.inf, err = f.view.acquire(f.key)
	}
	return f.inf, err
}

// Targets lists the objects from the cache. The error is temporary where the objects were
// not listed yet, or the API server has been unreachable for too long.
func (f *Fleet) Targets(ctx context.Context) ([]engine.Target, error) {
	inf, err := f.informer()
	if err != nil {
		return nil, err
	}
	if err := inf.ready(ctx); err != nil {
		return nil, err
	}
	list := f.list(inf)
	mapping, paths := inf.kind()
	pods, err := f.pods(ctx, inf, list)
	if err != nil {
		return nil, err
	}
	if f.listsPods && pods == nil && len(list) > 0 {
		return nil, noPodsError(mapping.GroupVersionKind.GroupKind())
	}
	out := make([]engine.Target, len(list))
	for i, s := range list {
		out[i] = engine.Target{APIVersion: f.key.apiVersion, Kind: f.key.kind, Namespace: s.namespace, Name: s.name, Labels: s.labels, Model: s.model, Placement: []string{}}
		if pods == nil {
			continue
		}
		of := pods.of(podOwner{mapping.GroupVersionKind.Group, f.key.kind, s.namespace, s.name}, s.selector)
		out[i].Placement = nodesOf(of)
		if paths.hasReplicas(s) {
			out[i].Replicas = &engine.Replicas{Desired: s.desired, Ready: s.readyOf(of)}
		}
		if f.listsPods && (paths.ownsPods || s.selector != "" || len(of) > 0) {
			out[i].SetPods(targetPods(of))
		}
	}
	return out, nil
}

// list returns the targets' objects from the cache.
func (f *Fleet) list(inf *informer) []*cachedObject {
	return inf.objects.all(func(s *cachedObject) bool {
		return !s.terminating && f.matches.Matches(labels.Set(s.labels)) && (f.view.shard == nil || f.view.shard(s.namespace, s.name, s.labels))
	})
}

// pods returns the pods of objects; nil for a kind that runs none, which needs no right to
// list pods.
func (f *Fleet) pods(ctx context.Context, inf *informer, list []*cachedObject) (*podIndex, error) {
	if _, paths := inf.kind(); !paths.scalable && !paths.ownsPods && !slices.ContainsFunc(list, paths.hasReplicas) {
		return nil, nil
	}
	of, err := f.view.podsFor(inf)
	if err != nil {
		return nil, err
	}
	if err := of.ready(ctx); err != nil {
		return nil, err
	}
	return of.index, nil
}

// Fault returns the error of Targets, or why the targets or their pods can't be watched at the
// moment. It returns nil for a fleet that is not followed.
func (f *Fleet) Fault(ctx context.Context) error {
	f.mu.Lock()
	inf := f.inf
	f.mu.Unlock()
	if inf == nil {
		return nil
	}
	if err := inf.ready(ctx); err != nil {
		return err
	}
	if _, err := f.pods(ctx, inf, f.list(inf)); err != nil {
		return err
	}
	f.view.mu.RLock()
	pods := inf.podsOf
	f.view.mu.RUnlock()
	err := inf.fault()
	if pods != nil {
		err = cmp.Or(err, pods.fault())
	}
	return err
}

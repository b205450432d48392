package clusterview

import (
	"context"
	"maps"
	"reflect"
	"sync"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// Watch calls changed for each object that appears, disappears or changes, until ctx ends,
// and then returns nil. It does not report the objects of the first list. After an outage
// of the API server it reports the objects that changed meanwhile. It waits for a kind that the
// cluster lacks. The error is a mistake in the spec, or ErrClosed.
func (v *View) Watch(ctx context.Context, spec engine.WatchSpec, changed func(engine.ObjectChange)) error {
	w, err := v.newWatcher(spec)
	if err != nil {
		return err
	}
	inf, err := v.acquire(w.key)
	if err != nil {
		return err
	}
	defer v.release(inf)
	defer inf.objects.addListener(w.enqueue)()
	for {
		select {
		case <-w.wake:
		case <-v.ctx.Done():
			return ErrClosed
		case <-ctx.Done():
			return nil
		}
		for _, c := range w.drain() {
			if change, is := w.change(c.before, c.after); is && ctx.Err() == nil {
				changed(change)
			}
		}
	}
}

// WatchFault returns why the objects of a Watch can't be followed; nil where they are, and
// where nobody watches them.
func (v *View) WatchFault(spec engine.WatchSpec) error {
	w, err := v.newWatcher(spec)
	if err != nil {
		return err
	}
	v.mu.RLock()
	inf := v.informers[w.key]
	v.mu.RUnlock()
	if inf == nil {
		return nil
	}
	return inf.fault()
}

// watcher filters the changes of an informer for one trigger. Changes wait in queue while
// the trigger is busy, so that an informer is never held up.
type watcher struct {
	key     informerKey
	matches labels.Selector
	wake    chan struct{}

	mu    sync.Mutex
	queue []revision
}

type revision struct{ before, after *cachedObject }

func (v *View) newWatcher(spec engine.WatchSpec) (*watcher, error) {
	s := spec.Selector
	namespace, err := v.scope(s.Namespace, "changes of the kind "+s.Kind)
	if err != nil {
		return nil, err
	}
	matches, err := labels.ValidatedSelectorFromSet(s.MatchLabels)
	if err != nil {
		return nil, err
	}
	w := &watcher{
		key:     informerKey{apiVersion: s.APIVersion, kind: s.Kind, namespace: namespace, name: spec.Name, field: spec.Field},
		matches: matches, wake: make(chan struct{}, 1),
	}
	if spec.Field != "" {
		if _, err := fieldpath.Parse(spec.Field); err != nil {
			return nil, err
		}
	}
	if !w.key.workloads() { // no fleet shares it, so the API server can filter
		w.key.labels = matches.String()
	}
	return w, nil
}

func (w *watcher) enqueue(before, after *cachedObject) {
	w.mu.Lock()
	w.queue = append(w.queue, revision{before, after})
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *watcher) drain() []revision {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.queue
	w.queue = nil
	return out
}

// change converts a revision for the trigger; false if it is not concerned. An object whose
// labels begin to match is added, and one whose labels cease to match is deleted.
func (w *watcher) change(before, after *cachedObject) (engine.ObjectChange, bool) {
	if before != nil && !w.matches.Matches(labels.Set(before.labels)) {
		before = nil
	}
	if after != nil && !w.matches.Matches(labels.Set(after.labels)) {
		after = nil
	}
	out := engine.ObjectChange{APIVersion: w.key.apiVersion, Kind: w.key.kind, Type: "changed"}
	switch {
	case before == nil && after == nil:
		return out, false
	case before == nil:
		out.Type = "added"
	case after == nil:
		out.Type = "deleted"
	case !w.changed(before, after):
		return out, false
	}
	if before != nil {
		out.Namespace, out.Name, out.From = before.namespace, before.name, before.value
	}
	if after != nil {
		out.Namespace, out.Name, out.To = after.namespace, after.name, after.value
	}
	return out, true
}

// changed compares the watched field, or else what the object's author can write. A kind
// without generations has no status subresource, so each of its versions counts.
func (w *watcher) changed(before, after *cachedObject) bool {
	if w.key.field != "" {
		return before.found != after.found || !reflect.DeepEqual(before.value, after.value)
	}
	if before.generation == 0 && after.generation == 0 {
		return true
	}
	return before.generation != after.generation || !maps.Equal(before.labels, after.labels)
}

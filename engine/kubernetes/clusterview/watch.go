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

// Watch calls changed, from this goroutine, for each object that appears, disappears
// or changes, until ctx ends: the nil that it returns then is no mistake. What is
// there at the beginning is not told of. What changed while the API server was away
// is told of afterwards, and what did not is not. A kind that the cluster does not
// have is waited for. An error says what is wrong with the spec.
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
	defer inf.objects.listen(w.push)()
	for {
		select {
		case <-w.news:
		case <-v.ctx.Done():
			return ErrClosed
		case <-ctx.Done():
			return nil
		}
		for _, c := range w.pull() {
			if change, is := w.change(c.before, c.after); is && ctx.Err() == nil {
				changed(change)
			}
		}
	}
}

// watcher tells what of an informer's news a trigger is about. What comes while the
// trigger is busy waits in queue: an informer never waits for one.
type watcher struct {
	key     informerKey
	matches labels.Selector
	news    chan struct{}

	mu    sync.Mutex
	queue []revision
}

type revision struct{ before, after *slim }

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
		matches: matches, news: make(chan struct{}, 1),
	}
	if spec.Field != "" {
		if _, err := fieldpath.Parse(spec.Field); err != nil {
			return nil, err
		}
	}
	if !w.key.workloads() { // no fleet shares it, so the API server may sort out
		w.key.labels = matches.String()
	}
	return w, nil
}

func (w *watcher) push(before, after *slim) {
	w.mu.Lock()
	w.queue = append(w.queue, revision{before, after})
	w.mu.Unlock()
	select {
	case w.news <- struct{}{}:
	default:
	}
}

func (w *watcher) pull() []revision {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.queue
	w.queue = nil
	return out
}

// change is what a revision means to the trigger; false for nothing. An object whose
// labels begin to match appears, and one whose labels cease to disappears.
func (w *watcher) change(before, after *slim) (engine.ObjectChange, bool) {
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
	case !w.differ(before, after):
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

// differ compares the field, or else what the author of the object may write. A kind
// without generations has no status either, so each version of it counts.
func (w *watcher) differ(before, after *slim) bool {
	if w.key.field != "" {
		return before.found != after.found || !reflect.DeepEqual(before.value, after.value)
	}
	if before.generation == 0 && after.generation == 0 {
		return true
	}
	return before.generation != after.generation || !maps.Equal(before.labels, after.labels)
}

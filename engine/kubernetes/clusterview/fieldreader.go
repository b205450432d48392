package clusterview

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// Objects returns a reader of one field of a kind's objects, for the sensor `object`. The
// error is a mistake in the arguments. The first read starts an informer, and release ends
// it.
//
// read calls each for every object of a namespace ("" is all that the View may read); found
// is false where the object lacks the field. The error of read is temporary.
func (v *View) Objects(apiVersion, kind string, matchLabels map[string]string, field string) (
	read func(ctx context.Context, namespace string, each func(namespace, name string, labels map[string]string, created time.Time, value any, found bool)) error,
	release func(), err error,
) {
	if _, err := fieldpath.Parse(field); err != nil {
		return nil, nil, err
	}
	matches, err := labels.ValidatedSelectorFromSet(matchLabels)
	if err != nil {
		return nil, nil, fmt.Errorf("selector: %w", err)
	}
	r := &fieldReader{view: v, key: informerKey{apiVersion: apiVersion, kind: kind, labels: matches.String(), field: field}}
	return r.read, r.release, nil
}

type fieldReader struct {
	view *View
	key  informerKey

	mu  sync.Mutex
	inf *informer
}

func (r *fieldReader) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.inf != nil {
		r.view.release(r.inf)
		r.inf = nil
	}
}

// informer returns that of the namespace to read. A fleet seldom moves, so one is enough.
func (r *fieldReader) informer(namespace string) (*informer, error) {
	if namespace == "" {
		namespace = r.view.namespace
	}
	namespace, err := r.view.scope(namespace, "objects of the kind "+r.key.kind)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.inf != nil && r.inf.key.namespace == namespace {
		return r.inf, nil
	}
	key := r.key
	key.namespace = namespace
	inf, err := r.view.acquire(key)
	if err != nil {
		return nil, err
	}
	if r.inf != nil {
		r.view.release(r.inf)
	}
	r.inf = inf
	return inf, nil
}

func (r *fieldReader) read(ctx context.Context, namespace string, each func(namespace, name string, labels map[string]string, created time.Time, value any, found bool)) error {
	inf, err := r.informer(namespace)
	if err != nil {
		return err
	}
	if err := inf.ready(ctx); err != nil {
		return err
	}
	for _, s := range inf.objects.all(func(*cachedObject) bool { return true }) {
		each(s.namespace, s.name, s.labels, s.created, s.value, s.found)
	}
	return nil
}

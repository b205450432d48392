package clusterview

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// Objects reads one field of the objects of a kind, for the sensor `object`. The
// error says what is wrong with what is asked for. Nothing is followed before the
// first read; release ends it.
//
// read calls each for every object in a namespace ("" is all that is in sight), found
// being whether it has the field. The error of read says why the objects are not
// known, and may pass.
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

// informer is that of the namespace which is read. A fleet seldom moves, so one is
// enough.
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
	for _, s := range inf.objects.all(func(*slim) bool { return true }) {
		each(s.namespace, s.name, s.labels, s.created, s.value, s.found)
	}
	return nil
}

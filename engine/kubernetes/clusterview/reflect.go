package clusterview

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// pageSize is the page of a list where the API server can't stream it.
const pageSize = 500

// reflect lists and watches until the watch ends in a way that requires a new list. It
// uses client-go's reflector with the informer's store, so that nothing is held twice.
func (inf *informer) reflect(ctx context.Context, mapping *meta.RESTMapping) error {
	var target cache.TransformingStore = inf.pods
	if inf.objects != nil {
		target = inf.objects
	}
	from, err := inf.source(mapping)
	if err != nil {
		return err
	}
	quiet := klog.Logger{} // requestFailed logs
	r := cache.NewReflectorWithOptions(&lister{inf, from, inf.jsonSource(mapping), target.Transformer()}, nil, target, cache.ReflectorOptions{
		Name: inf.key.String(), TypeDescription: inf.key.String(), Logger: &quiet,
		Backoff: &wait.Backoff{Duration: reconnectFirst, Cap: reconnectMost, Steps: 10, Factor: 2, Jitter: 0.5},
	})
	r.WatchListPageSize = pageSize
	err = r.ListAndWatchWithContext(klog.NewContext(ctx, quiet))
	if apierrors.IsNotFound(err) {
		return &apiclient.MissingKindError{APIVersion: inf.key.apiVersion, Kind: inf.key.kind}
	}
	return apiclient.Classify(err)
}

// lister sends the informer's requests and reports their results to it.
type lister struct {
	inf     *informer
	from    source
	asJSON  jsonSource // for a kind that the API server refuses to send otherwise
	convert cache.TransformFunc
}

// List implements cache.Lister.
func (l *lister) List(o metav1.ListOptions) (runtime.Object, error) {
	return l.ListWithContext(context.Background(), o)
}

// ListWithContext reads one page and converts its objects.
func (l *lister) ListWithContext(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
	l.inf.requestSent()
	page, err := l.from.list(ctx, l.inf.listOptions(o))
	if l.mustUseJSON(err) {
		page, err = l.from.list(ctx, l.inf.listOptions(o))
	}
	if err != nil {
		return nil, l.fail("list", err)
	}
	of, err := meta.ListAccessor(page)
	if err != nil {
		return nil, fmt.Errorf("the API server sent a %T, not a list", page)
	}
	out := &cachedList{ListMeta: metav1.ListMeta{ResourceVersion: of.GetResourceVersion(), Continue: of.GetContinue(), RemainingItemCount: of.GetRemainingItemCount()}}
	err = meta.EachListItem(page, func(o runtime.Object) error {
		item, err := l.convert(o)
		if err != nil {
			return err
		}
		out.Items = append(out.Items, item.(runtime.Object))
		forget(o)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Watch implements cache.Watcher.
func (l *lister) Watch(o metav1.ListOptions) (watch.Interface, error) {
	return l.WatchWithContext(context.Background(), o)
}

// WatchWithContext opens a stream of changes.
func (l *lister) WatchWithContext(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	l.inf.requestSent()
	w, err := l.from.watch(ctx, l.inf.listOptions(o))
	if l.mustUseJSON(err) {
		w, err = l.from.watch(ctx, l.inf.listOptions(o))
	}
	lists := o.SendInitialEvents != nil && *o.SendInitialEvents
	if err != nil {
		l.inf.watched(engine.MissingRight(apiclient.Classify(err)))
		// An API server without streamed lists refuses this, and the reflector lists.
		if !lists || engine.IsRetryable(apiclient.Classify(err)) {
			err = l.fail("watch", err)
		}
		var status apierrors.APIStatus
		if lists && !errors.As(err, &status) {
			// On any other type of error the reflector would retry without heeding ctx.
			err = errors.New(err.Error())
		}
		return nil, err
	}
	l.inf.watched(nil)
	if !lists {
		l.inf.requestSucceeded()
	}
	return w, nil
}

// mustUseJSON reports whether a request failed because the API server does not send the kind
// as protobuf. From then on the informer reads JSON.
func (l *lister) mustUseJSON(err error) bool {
	if _, typed := l.from.(typedSource); !typed || !untypable(err) {
		return false
	}
	l.from = l.asJSON
	l.inf.untyped.Store(true)
	return true
}

func (l *lister) fail(verb string, err error) error {
	if !apierrors.IsNotFound(err) && !apierrors.IsResourceExpired(err) { // the informer's loop handles these
		l.inf.requestFailed(apiclient.Classify(fmt.Errorf("%s: %w", verb, err)))
	}
	return err
}

// cachedList is a page of cached objects.
type cachedList struct {
	metav1.TypeMeta
	metav1.ListMeta
	Items []runtime.Object
}

// DeepCopyObject implements runtime.Object. The objects are immutable.
func (l *cachedList) DeepCopyObject() runtime.Object { out := *l; return &out }

// GetObjectKind implements runtime.Object.
func (l *cachedList) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

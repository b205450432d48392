package clusterview

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// pageSize bounds a list where the API server can't stream it.
const pageSize = 500

// reflect lists and watches until the watch breaks in a way that wants a new list.
// The stores are the informer's, so nothing is held twice.
func (inf *informer) reflect(ctx context.Context, mapping *meta.RESTMapping) error {
	var target cache.TransformingStore = inf.pods
	if inf.objects != nil {
		target = inf.objects
	}
	var resource dynamic.ResourceInterface = inf.view.client.Dynamic.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace && inf.key.namespace != "" {
		resource = inf.view.client.Dynamic.Resource(mapping.Resource).Namespace(inf.key.namespace)
	}
	quiet := klog.Logger{} // what is worth a word is said by failed
	r := cache.NewReflectorWithOptions(&lister{inf, resource, target.Transformer()}, nil, target, cache.ReflectorOptions{
		Name: inf.key.String(), TypeDescription: inf.key.String(), Logger: &quiet,
		Backoff: &wait.Backoff{Duration: reconnectFirst, Cap: reconnectMost, Steps: 10, Factor: 2, Jitter: 0.5},
	})
	r.WatchListPageSize = pageSize
	err := r.ListAndWatchWithContext(klog.NewContext(ctx, quiet))
	if apierrors.IsNotFound(err) {
		return &apiclient.MissingKindError{APIVersion: inf.key.apiVersion, Kind: inf.key.kind}
	}
	return apiclient.Classify(err)
}

// lister makes the informer's requests, and tells it how they went.
type lister struct {
	inf      *informer
	resource dynamic.ResourceInterface
	lean     cache.TransformFunc
}

// List reads a page, and makes it lean.
func (l *lister) List(o metav1.ListOptions) (runtime.Object, error) {
	return l.ListWithContext(context.Background(), o)
}

// ListWithContext is List.
func (l *lister) ListWithContext(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
	l.inf.asks()
	page, err := l.resource.List(ctx, l.inf.narrow(o))
	if err != nil {
		return nil, l.fail("list", err)
	}
	out := &leanList{ListMeta: metav1.ListMeta{ResourceVersion: page.GetResourceVersion(), Continue: page.GetContinue(), RemainingItemCount: page.GetRemainingItemCount()}}
	for i := range page.Items {
		item, err := l.lean(&page.Items[i])
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, item.(runtime.Object))
		page.Items[i] = unstructured.Unstructured{}
	}
	return out, nil
}

// Watch opens a stream of changes.
func (l *lister) Watch(o metav1.ListOptions) (watch.Interface, error) {
	return l.WatchWithContext(context.Background(), o)
}

// WatchWithContext is Watch.
func (l *lister) WatchWithContext(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	l.inf.asks()
	w, err := l.resource.Watch(ctx, l.inf.narrow(o))
	lists := o.SendInitialEvents != nil && *o.SendInitialEvents
	if err != nil {
		err = l.fail("watch", err)
		var status apierrors.APIStatus
		if lists && !errors.As(err, &status) {
			// The reflector would wait here and try again, deaf to the end of ctx.
			err = errors.New(err.Error())
		}
		return nil, err
	}
	if !lists {
		l.inf.answered()
	}
	return w, nil
}

func (l *lister) fail(verb string, err error) error {
	if !apierrors.IsNotFound(err) && !apierrors.IsResourceExpired(err) { // of these the loop makes its own
		l.inf.failed(apiclient.Classify(fmt.Errorf("%s: %w", verb, err)))
	}
	return err
}

// leanList is a page of lean objects.
type leanList struct {
	metav1.TypeMeta
	metav1.ListMeta
	Items []runtime.Object
}

// DeepCopyObject makes it a runtime.Object. Its objects never change.
func (l *leanList) DeepCopyObject() runtime.Object { out := *l; return &out }

// GetObjectKind is empty, as that of the objects.
func (l *leanList) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// sleep waits, less if ctx ends.
func (v *View) sleep(ctx context.Context, d time.Duration) {
	wake, stop := v.clock.Timer(d)
	defer stop()
	select {
	case <-wake:
	case <-ctx.Done():
	}
}

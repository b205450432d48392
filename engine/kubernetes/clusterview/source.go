package clusterview

import (
	"context"
	"reflect"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// source lists and watches the objects of one kind.
type source interface {
	list(ctx context.Context, o metav1.ListOptions) (runtime.Object, error)
	watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error)
}

// jsonSource decodes any kind.
type jsonSource struct{ dynamic.ResourceInterface }

func (r jsonSource) list(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
	page, err := r.List(ctx, o)
	if err != nil {
		return nil, err
	}
	return page, nil
}

func (r jsonSource) watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	return r.Watch(ctx, o)
}

// typedSource decodes a built-in kind into its Go type.
type typedSource struct {
	client          rest.Interface
	namespace, name string
}

func (r typedSource) get(o *metav1.ListOptions) *rest.Request {
	return r.client.Get().NamespaceIfScoped(r.namespace, r.namespace != "").Resource(r.name).VersionedParams(o, scheme.ParameterCodec)
}

func (r typedSource) list(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
	return r.get(&o).Do(ctx).Get()
}

func (r typedSource) watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	o.Watch = true
	return r.get(&o).Watch(ctx)
}

// source returns the way in which the informer reads its kind: as Go types where these
// have all that is cached, and as JSON otherwise.
func (inf *informer) source(mapping *meta.RESTMapping) (source, error) {
	namespace := inf.key.namespace
	if mapping.Scope.Name() != meta.RESTScopeNameNamespace {
		namespace = ""
	}
	if inf.typed(mapping) {
		client, err := inf.view.client.Typed(mapping.GroupVersionKind)
		if err != nil {
			return nil, err
		}
		if client != nil {
			return typedSource{client: client, namespace: namespace, name: mapping.Resource.Resource}, nil
		}
	}
	return inf.jsonSource(mapping), nil
}

func (inf *informer) jsonSource(mapping *meta.RESTMapping) jsonSource {
	resource := inf.view.client.Dynamic.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace && inf.key.namespace != "" {
		return jsonSource{resource.Namespace(inf.key.namespace)}
	}
	return jsonSource{resource}
}

// typed reports whether the Go type of the kind, if there is one, has all that is cached.
func (inf *informer) typed(mapping *meta.RESTMapping) bool {
	if inf.untyped.Load() {
		return false
	}
	if inf.key.field == "" || inf.key.known {
		return true
	}
	t, known := scheme.Scheme.AllKnownTypes()[mapping.GroupVersionKind]
	path, err := fieldpath.Parse(inf.key.field)
	return known && err == nil && completeIn(t, path)
}

// untypable reports whether the API server could not answer a typed request, and can answer
// one for JSON.
func untypable(err error) bool {
	return apierrors.IsNotAcceptable(err) || runtime.IsNotRegisteredError(err)
}

// forget drops a decoded object from the page that it is in, so that a page is never in
// memory beside all that is cached of it.
func forget(o runtime.Object) { reflect.ValueOf(o).Elem().SetZero() }

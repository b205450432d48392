package gateway

import (
	"context"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// startInformers starts the informers of routes, Services and pods.
func (g *Gateway) startInformers(ctx context.Context, group *sync.WaitGroup) (synced []cache.InformerSynced) {
	startInformer := func(lw cache.ListerWatcher, objectType runtime.Object, wake chan struct{}) cache.Store {
		notify := func() {
			select {
			case wake <- struct{}{}:
			default: // a wake-up is pending already
			}
		}
		store, controller := cache.NewInformerWithOptions(cache.InformerOptions{
			ListerWatcher: lw, ObjectType: objectType,
			Handler: cache.ResourceEventHandlerFuncs{
				AddFunc: func(any) { notify() }, UpdateFunc: func(any, any) { notify() }, DeleteFunc: func(any) { notify() },
			},
		})
		synced = append(synced, controller.HasSynced)
		group.Go(func() { controller.RunWithContext(ctx) })
		return store
	}
	routes := g.opts.Client.Dynamic.Resource(routeResource)
	g.routes = startInformer(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return routes.List(ctx, o) },
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			return routes.Watch(ctx, o)
		},
	}, &unstructured.Unstructured{}, g.wake)
	list := func(resource string) cache.ListerWatcher {
		return cache.NewListWatchFromClient(g.core.RESTClient(), resource, corev1.NamespaceAll, fields.Everything())
	}
	g.services = startInformer(list("services"), &corev1.Service{}, g.wake)
	g.pods = startInformer(list("pods"), &corev1.Pod{}, g.podWake)
	return synced
}

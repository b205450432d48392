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

// inform follows routes, Services and pods.
func (g *Gateway) inform(ctx context.Context, group *sync.WaitGroup) (synced []cache.InformerSynced) {
	follow := func(lw cache.ListerWatcher, of runtime.Object, kick chan struct{}) cache.Store {
		wake := func() {
			select {
			case kick <- struct{}{}:
			default: // everything is looked at anyway
			}
		}

		store, controller := cache.NewInformerWithOptions(cache.InformerOptions{
			ListerWatcher: lw, ObjectType: of,
			Handler: cache.ResourceEventHandlerFuncs{
				AddFunc: func(any) { wake() }, UpdateFunc: func(any, any) { wake() }, DeleteFunc: func(any) { wake() },
			},
		})
		synced = append(synced, controller.HasSynced)
		group.Go(func() { controller.RunWithContext(ctx) })
		return store
	}
	routes := g.opts.Client.Dynamic.Resource(routeResource)
	g.routes = follow(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return routes.List(ctx, o) },
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			return routes.Watch(ctx, o)
		},
	}, &unstructured.Unstructured{}, g.kick)
	list := func(resource string) cache.ListerWatcher {
		return cache.NewListWatchFromClient(g.core.RESTClient(), resource, corev1.NamespaceAll, fields.Everything())
	}
	g.services = follow(list("services"), &corev1.Service{}, g.kick)
	g.pods = follow(list("pods"), &corev1.Pod{}, g.podKick)
	return synced
}

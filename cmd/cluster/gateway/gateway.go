package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/router"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// Options configure a Gateway.
type Options struct {
	Client *apiclient.Client
	// RandomPorts makes each route listen on a free port instead of its own.
	RandomPorts bool
	// OnListen is called when the address of a route has changed. It may be nil.
	OnListen func(namespace, name, address string)
	Clock    engine.Clock
	Log      hclog.Logger
}

const (
	// retryInterval is the wait before a failed listen or status update is retried.
	retryInterval = time.Second
	// drainTimeout bounds the wait for the requests in flight at the end.
	drainTimeout = 10 * time.Second
)

var routeResource = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"}

// Gateway routes requests. The goroutine of Run applies routes and Services and writes
// statuses. Another one applies the pods, so that a slow API server doesn't delay the
// removal of a pod that is being deleted. Informers wake both.
type Gateway struct {
	opts          Options
	core          *corev1client.CoreV1Client
	router        *router.Router
	wake, podWake chan struct{} // of capacity 1

	routes, services, pods cache.Store

	// Used by Run's goroutine only:
	applied   string // the routes and Services in the router, formatted
	addresses map[types.NamespacedName]string
	// Used by the pods' goroutine only:
	inflight map[types.UID]*router.Inflight // of the existing pods
}

// New returns a gateway; Run starts it.
func New(o Options) (*Gateway, error) {
	if o.Clock == nil {
		o.Clock = engine.WallClock{}
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	core, err := corev1client.NewForConfig(o.Client.Config)
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	return &Gateway{
		opts: o, core: core, wake: make(chan struct{}, 1), podWake: make(chan struct{}, 1), inflight: map[types.UID]*router.Inflight{}, addresses: map[types.NamespacedName]string{},
		router: router.New(router.Options{RandomPorts: o.RandomPorts, RoutesOnly: true, Log: o.Log}),
	}, nil
}

// Collector returns the collector of router.Definitions.
func (g *Gateway) Collector() prometheus.Collector { return g.router }

// Run runs the gateway until ctx ends, and then waits for the requests in flight.
func (g *Gateway) Run(ctx context.Context) error {
	if _, err := g.opts.Client.Kinds.Find(routeResource.GroupVersion().String(), router.KindRoute); err != nil {
		return fmt.Errorf("gateway: %w; install the Gateway API's definitions first", err)
	}
	informCtx, stop := context.WithCancel(ctx)
	var informers sync.WaitGroup
	defer informers.Wait()
	defer stop()
	synced := g.startInformers(informCtx, &informers)
	if !cache.WaitForCacheSync(ctx.Done(), synced...) {
		return nil
	}
	g.router.SetPods(g.readyPods())
	informers.Go(func() { g.runPods(informCtx) })
	for ctx.Err() == nil {
		retry := g.reconcile(ctx)
		var timer <-chan time.Time
		stopTimer := func() {}
		if retry {
			timer, stopTimer = g.opts.Clock.Timer(retryInterval)
		}
		select {
		case <-ctx.Done():
		case <-g.wake:
		case <-timer:
		}
		stopTimer()
	}
	closeCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	return g.router.Close(closeCtx)
}

// reconcile applies the routes and Services to the router, and writes the routes' statuses.
// It reports whether it must be retried even if nothing changes.
func (g *Gateway) reconcile(ctx context.Context) (retry bool) {
	services := map[types.NamespacedName]*corev1.Service{}
	for _, o := range g.services.List() {
		s := o.(*corev1.Service)
		services[types.NamespacedName{Namespace: s.Namespace, Name: s.Name}] = s
	}
	var states []*routeState
	for _, o := range g.routes.List() {
		if v := evaluate(o.(*unstructured.Unstructured), services, g.opts.RandomPorts); v != nil {
			states = append(states, v)
		}
	}
	slices.SortFunc(states, (*routeState).compare)
	retry = g.listen(ctx, states, services)
	g.notifyListen(states)
	for _, v := range states {
		if err := g.writeStatus(ctx, v); err != nil && ctx.Err() == nil {
			g.opts.Log.Warn("can't write the status of a route; retrying", "route", v.name.String(), "error", err)
			retry = true
		}
	}
	return retry
}

// listen applies the accepted routes to the router. A route that can't listen is rejected,
// and retried.
func (g *Gateway) listen(ctx context.Context, states []*routeState, services map[types.NamespacedName]*corev1.Service) (retry bool) {
	for {
		var used []corev1.Service
		var routes []router.Route
		applied := ""
		seen := map[types.NamespacedName]bool{}
		for _, v := range states {
			if !v.accepted() {
				continue
			}
			routes = append(routes, v.route)
			applied += fmt.Sprintf("%s %+v;", v.name, v.route)
			for _, b := range v.route.Backends {
				at := types.NamespacedName{Namespace: v.name.Namespace, Name: b.Service}
				if s := services[at]; s != nil && !seen[at] {
					seen[at] = true
					used = append(used, *s)
					applied += fmt.Sprintf("%s %s %s;", at, s.UID, s.ResourceVersion)
				}
			}
		}
		if applied == g.applied { // applying the same again would restart the weighted round-robin
			return retry
		}
		err := g.router.SetRoutes(ctx, used, routes)
		if err == nil {
			g.applied = applied
			return retry
		}
		retry = true
		rejected := false
		for _, e := range listenErrors(err) {
			for _, v := range states {
				if v.accepted() && v.name.Namespace == e.Frontend.Namespace && v.name.Name == e.Frontend.Name {
					v.reject("NoMatchingParent", e.Error())
					rejected = true
				}
			}
		}
		if !rejected {
			g.opts.Log.Error("can't apply the routes; retrying", "error", err)
			return true
		}
	}
}

// listenErrors returns the ListenErrors of a joined error.
func listenErrors(err error) []*router.ListenError {
	var out []*router.ListenError
	var listenErr *router.ListenError
	if many, joined := err.(interface{ Unwrap() []error }); joined {
		for _, e := range many.Unwrap() {
			out = append(out, listenErrors(e)...)
		}
	} else if errors.As(err, &listenErr) {
		out = append(out, listenErr)
	}
	return out
}

// notifyListen calls OnListen for the routes whose address has changed.
func (g *Gateway) notifyListen(states []*routeState) {
	now := map[types.NamespacedName]string{}
	for _, v := range states {
		at, listens := g.router.Address(router.KindRoute, v.name.Namespace, v.name.Name)
		if !v.accepted() || !listens {
			continue
		}
		now[v.name] = at
		if g.addresses[v.name] != at && g.opts.OnListen != nil {
			g.opts.OnListen(v.name.Namespace, v.name.Name, at)
		}
	}
	g.addresses = now
}

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

// Options say which cluster, and how to listen.
type Options struct {
	Client *apiclient.Client
	// RandomPorts has each route listen on a free port instead of its own.
	RandomPorts bool
	// OnListen is told where a route listens, each time that changes. It may be nil.
	OnListen func(namespace, name, address string)
	Clock    engine.Clock
	Log      hclog.Logger
}

const (
	// tryAgain is the wait after a port that can't be had, or a status that can't be written.
	tryAgain = time.Second
	// endWithin bounds the wait for the requests under way at the end.
	endWithin = 10 * time.Second
)

var routeResource = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"}

// Gateway routes requests. One goroutine, that of Run, minds routes and Services, and
// reports; another minds the pods, so that a slow API server never keeps a pod that is
// being deleted in. Informers wake them.
type Gateway struct {
	opts   Options
	core   *corev1client.CoreV1Client
	router *router.Router
	// Each holds one: there is something new to look at.
	kick, podKick chan struct{}

	routes, services, pods cache.Store

	// Of Run's goroutine alone:
	set     string // what the router was last told, but for pods
	listens map[types.NamespacedName]string
	// Of the pods' goroutine alone:
	flights map[types.UID]*router.Flight // of the pods that are there
}

// New makes a gateway; Run starts it.
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
		opts: o, core: core, kick: make(chan struct{}, 1), podKick: make(chan struct{}, 1), flights: map[types.UID]*router.Flight{}, listens: map[types.NamespacedName]string{},
		router: router.New(router.Options{RandomPorts: o.RandomPorts, RoutesOnly: true, Log: o.Log}),
	}, nil
}

// Collector counts the requests (router.Definitions).
func (g *Gateway) Collector() prometheus.Collector { return g.router }

// Run is the gateway until ctx ends. Then it answers what is under way.
func (g *Gateway) Run(ctx context.Context) error {
	if _, err := g.opts.Client.Kinds.Find(routeResource.GroupVersion().String(), router.KindRoute); err != nil {
		return fmt.Errorf("gateway: %w; install the Gateway API's definitions first", err)
	}
	informing, stop := context.WithCancel(ctx)
	var informers sync.WaitGroup
	defer informers.Wait()
	defer stop()
	synced := g.inform(informing, &informers)
	if !cache.WaitForCacheSync(ctx.Done(), synced...) {
		return nil
	}
	g.router.Publish(g.ready())
	informers.Go(func() { g.mindPods(informing) })
	for ctx.Err() == nil {
		again := g.reconcile(ctx)
		var timer <-chan time.Time
		giveBack := func() {}
		if again {
			timer, giveBack = g.opts.Clock.Timer(tryAgain)
		}
		select {
		case <-ctx.Done():
		case <-g.kick:
		case <-timer:
		}
		giveBack()
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), endWithin)
	defer cancel()
	return g.router.Close(ending)
}

// reconcile has requests go by what is there now, and reports. It reports whether it must
// be done again even if nothing changes.
func (g *Gateway) reconcile(ctx context.Context) (again bool) {
	services := map[types.NamespacedName]*corev1.Service{}
	for _, o := range g.services.List() {
		s := o.(*corev1.Service)
		services[types.NamespacedName{Namespace: s.Namespace, Name: s.Name}] = s
	}
	var verdicts []*verdict
	for _, o := range g.routes.List() {
		if v := judge(o.(*unstructured.Unstructured), services, g.opts.RandomPorts); v != nil {
			verdicts = append(verdicts, v)
		}
	}
	slices.SortFunc(verdicts, (*verdict).compare)
	again = g.listen(ctx, verdicts, services)
	g.announce(verdicts)
	for _, v := range verdicts {
		if err := g.report(ctx, v); err != nil && ctx.Err() == nil {
			g.opts.Log.Warn("can't report on a route, and tries again", "route", v.name.String(), "error", err)
			again = true
		}
	}
	return again
}

// listen has the router take the routes that can be taken. One that can't be listened on
// is not accepted, and is tried again.
func (g *Gateway) listen(ctx context.Context, verdicts []*verdict, services map[types.NamespacedName]*corev1.Service) (again bool) {
	for {
		var used []corev1.Service
		var routes []router.Route
		set := ""
		seen := map[types.NamespacedName]bool{}
		for _, v := range verdicts {
			if !v.accepted() {
				continue
			}
			routes = append(routes, v.route)
			set += fmt.Sprintf("%s %+v;", v.name, v.route)
			for _, b := range v.route.Backends {
				at := types.NamespacedName{Namespace: v.name.Namespace, Name: b.Service}
				if s := services[at]; s != nil && !seen[at] {
					seen[at] = true
					used = append(used, *s)
					set += fmt.Sprintf("%s %s %s;", at, s.UID, s.ResourceVersion)
				}
			}
		}
		if set == g.set { // setting the same again would begin the turns of weights anew
			return again
		}
		err := g.router.Set(ctx, used, routes)
		if err == nil {
			g.set = set
			return again
		}
		again = true
		refused := false
		for _, e := range listenErrors(err) {
			for _, v := range verdicts {
				if v.accepted() && v.name.Namespace == e.Way.Namespace && v.name.Name == e.Way.Name {
					v.refuse("NoMatchingParent", e.Error())
					refused = true
				}
			}
		}
		if !refused {
			g.opts.Log.Error("the routes can't be taken, and are tried again", "error", err)
			return true
		}
	}
}

func listenErrors(err error) []*router.ListenError {
	var out []*router.ListenError
	var one *router.ListenError
	if many, joined := err.(interface{ Unwrap() []error }); joined {
		for _, e := range many.Unwrap() {
			out = append(out, listenErrors(e)...)
		}
	} else if errors.As(err, &one) {
		out = append(out, one)
	}
	return out
}

// announce tells where routes listen that did not before.
func (g *Gateway) announce(verdicts []*verdict) {
	now := map[types.NamespacedName]string{}
	for _, v := range verdicts {
		at, listens := g.router.Address(router.KindRoute, v.name.Namespace, v.name.Name)
		if !v.accepted() || !listens {
			continue
		}
		now[v.name] = at
		if g.listens[v.name] != at && g.opts.OnListen != nil {
			g.opts.OnListen(v.name.Namespace, v.name.Name, at)
		}
	}
	g.listens = now
}

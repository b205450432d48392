package router

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	corev1 "k8s.io/api/core/v1"
)

// Router has one listener for each frontend, and keeps it through every change of the
// configuration that doesn't remove the frontend.
type Router struct {
	opts      Options
	transport *http.Transport
	serving   sync.WaitGroup
	ctx       context.Context // parent of every request's context; ends with Close
	cancel    context.CancelFunc

	mu        sync.Mutex
	listeners map[string]*listener // by listenKey
	frontends map[FrontendID]*frontend
	order     []FrontendID // as declared
	services  []corev1.Service
	balancers map[portID]*balancer
	pods      []Pod
	metrics   *requestMetrics
}

// New returns a router without frontends.
func New(opts Options) *Router {
	if opts.Log == nil {
		opts.Log = hclog.NewNullLogger()
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Router{
		opts: opts, ctx: ctx, cancel: cancel,
		transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			MaxIdleConnsPerHost: 256,
			IdleConnTimeout:     30 * time.Second,
			DisableCompression:  true, // responses are passed on unchanged
		},
		listeners: map[string]*listener{}, frontends: map[FrontendID]*frontend{}, balancers: map[portID]*balancer{}, metrics: newRequestMetrics(),
	}
}

// SetRoutes replaces the frontends by those of the Services and routes. If one of them
// can't listen, nothing changes, and the error joins a *ListenError for each.
func (r *Router) SetRoutes(ctx context.Context, services []corev1.Service, routes []Route) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids := r.frontendIDs(services, routes)
	opened, err := r.listen(ctx, ids)
	if err != nil {
		return err
	}
	maps.Copy(r.listeners, opened)
	r.services = services
	balancers := map[portID]*balancer{}
	for i := range services {
		for _, p := range services[i].Spec.Ports {
			id := portID{serviceNameOf(&services[i]), p.Port}
			if balancers[id] = r.balancers[id]; balancers[id] == nil {
				balancers[id] = &balancer{}
			}
		}
	}
	r.balancers = balancers
	r.updateEndpoints() // before any request reaches the new balancers
	targets := r.backends(services, routes)
	frontends, used := map[FrontendID]*frontend{}, map[string]bool{}
	for _, id := range ids {
		f := r.frontends[id]
		if f == nil {
			f = newFrontend(id, r.transport, func() *counters { return r.metrics.counters(id, "") }, r.opts.Log)
		}
		at := r.listenKey(id)
		f.address = r.listeners[at].address
		f.backends.Store(targets[id])
		r.listeners[at].frontend.Store(f)
		frontends[id], used[at] = f, true
	}
	r.metrics.retain(backendNames(targets))
	r.frontends, r.order = frontends, ids
	for at, l := range r.listeners {
		if !used[at] {
			delete(r.listeners, at)
			r.serving.Go(func() { _ = l.close(r.ctx) })
		}
	}
	return nil
}

func (r *Router) frontendIDs(services []corev1.Service, routes []Route) []FrontendID {
	var ids []FrontendID
	for i := range services {
		if r.opts.RoutesOnly {
			break
		}
		n := serviceNameOf(&services[i])
		for _, p := range services[i].Spec.Ports {
			ids = append(ids, FrontendID{KindService, n.namespace, n.name, p.Port})
		}
	}
	for i := range routes {
		ids = append(ids, routes[i].frontendID())
	}
	return ids
}

// backends returns the backends of each frontend.
func (r *Router) backends(services []corev1.Service, routes []Route) map[FrontendID]*weightedBackends {
	out := map[FrontendID]*weightedBackends{}
	for i := range services {
		if r.opts.RoutesOnly {
			break
		}
		n := serviceNameOf(&services[i])
		for _, p := range services[i].Spec.Ports {
			id := FrontendID{KindService, n.namespace, n.name, p.Port}
			r.metrics.track(id, n.name)
			out[id] = &weightedBackends{backends: []weightedBackend{{backend: n.name, balancer: r.balancers[portID{n, p.Port}], counters: r.metrics.counters(id, n.name), weight: 1}}}
		}
	}
	for i := range routes {
		out[routes[i].frontendID()] = r.routeBackends(&routes[i])
	}
	return out
}

// backendNames returns the names of each frontend's backends.
func backendNames(targets map[FrontendID]*weightedBackends) map[FrontendID][]string {
	out := make(map[FrontendID][]string, len(targets))
	for id, target := range targets {
		out[id] = []string{}
		for _, s := range target.backends {
			out[id] = append(out[id], s.backend)
		}
	}
	return out
}

func (r *Router) routeBackends(rt *Route) *weightedBackends {
	w := &weightedBackends{}
	r.metrics.track(rt.frontendID())
	for _, b := range rt.Backends {
		to := r.balancers[portID{serviceName{rt.Namespace, b.Service}, b.Port}]
		if to == nil { // the Service doesn't exist, so that no pod is ready
			to = &balancer{}
		}
		r.metrics.track(rt.frontendID(), b.Service)
		w.backends = append(w.backends, weightedBackend{backend: b.Service, balancer: to, counters: r.metrics.counters(rt.frontendID(), b.Service), weight: b.Weight})
	}
	return w
}

// SetWeights replaces the backends and weights of a route.
func (r *Router) SetWeights(rt Route) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.frontends[rt.frontendID()]; f != nil {
		f.backends.Store(r.routeBackends(&rt))
	}
}

// SetPods replaces the ready pods. Once it has returned, no request is sent to any other.
func (r *Router) SetPods(pods []Pod) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pods = pods
	r.updateEndpoints()
}

func (r *Router) updateEndpoints() {
	for i := range r.services {
		s := &r.services[i]
		n := serviceNameOf(s)
		for _, sp := range s.Spec.Ports {
			var to []endpoint
			for _, p := range r.pods {
				if p.Namespace != n.namespace || !selects(s.Spec.Selector, p.Labels) {
					continue
				}
				if port, has := p.Port(targetPort(sp)); has {
					to = append(to, endpoint{net.JoinHostPort(cmp.Or(p.IP, loopback), strconv.Itoa(port)), p.Inflight})
				}
			}
			r.balancers[portID{n, sp.Port}].set(to)
		}
	}
}

// Address returns the host:port of an object's first frontend.
func (r *Router) Address(kind, namespace, name string) (string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range r.order {
		if id.Kind == kind && id.Namespace == namespace && id.Name == name {
			return r.frontends[id].address, true
		}
	}
	return "", false
}

// Close closes every listener after the requests in flight have ended, or when ctx ends.
func (r *Router) Close(ctx context.Context) error {
	r.mu.Lock()
	all := slices.Collect(maps.Values(r.listeners))
	r.listeners, r.frontends, r.order = map[string]*listener{}, map[FrontendID]*frontend{}, nil
	r.mu.Unlock()
	errs := make([]error, len(all))
	var closing sync.WaitGroup
	for i, l := range all {
		closing.Go(func() { errs[i] = l.close(ctx) })
	}
	closing.Wait()
	r.cancel()
	r.serving.Wait()
	r.transport.CloseIdleConnections()
	return errors.Join(errs...)
}

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

// Router has one listener for each way in, and keeps it through every change that
// leaves it be.
type Router struct {
	opts      Options
	transport *http.Transport
	serving   sync.WaitGroup
	ctx       context.Context // of every request; ended when the router is closed
	cancel    context.CancelFunc

	mu        sync.Mutex
	listeners map[string]*listener // by listenKey
	fronts    map[Way]*front
	order     []Way // as declared
	services  []corev1.Service
	balancers map[portID]*balancer
	ready     []Pod
	series    *series
}

// New makes a router without a way in.
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
			DisableCompression:  true, // answers are passed on as they are
		},
		listeners: map[string]*listener{}, fronts: map[Way]*front{}, balancers: map[portID]*balancer{}, series: newSeries(),
	}
}

// Set makes these the ways in. Either all can be listened on, or nothing changes: then
// each that can't is a *ListenError.
func (r *Router) Set(ctx context.Context, services []corev1.Service, routes []Route) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	ways := r.wanted(services, routes)
	opened, err := r.open(ctx, ways)
	if err != nil {
		return err
	}
	maps.Copy(r.listeners, opened)
	r.services = services
	balancers := map[portID]*balancer{}
	for i := range services {
		for _, p := range services[i].Spec.Ports {
			id := portID{nameOf(&services[i]), p.Port}
			if balancers[id] = r.balancers[id]; balancers[id] == nil {
				balancers[id] = &balancer{}
			}
		}
	}
	r.balancers = balancers
	r.spread() // before any request comes this way
	targets := r.targets(services, routes)
	fronts, used := map[Way]*front{}, map[string]bool{}
	for _, w := range ways {
		f := r.fronts[w]
		if f == nil {
			f = newFront(w, r.transport, func() *counts { return r.series.of(w, "") }, r.opts.Log)
		}
		at := r.listenKey(w)
		f.address = r.listeners[at].address
		f.target.Store(targets[w])
		r.listeners[at].front.Store(f)
		fronts[w], used[at] = f, true
	}
	r.series.only(backendsOf(targets))
	r.fronts, r.order = fronts, ways
	for at, l := range r.listeners {
		if !used[at] {
			delete(r.listeners, at)
			r.serving.Go(func() { _ = l.close(r.ctx) })
		}
	}
	return nil
}

// targets are where the requests of each way go.
func (r *Router) targets(services []corev1.Service, routes []Route) map[Way]*weighted {
	out := map[Way]*weighted{}
	for i := range services {
		if r.opts.RoutesOnly {
			break
		}
		n := nameOf(&services[i])
		for _, p := range services[i].Spec.Ports {
			w := Way{KindService, n.namespace, n.name, p.Port}
			r.series.keep(w, n.name)
			out[w] = &weighted{shares: []share{{backend: n.name, balancer: r.balancers[portID{n, p.Port}], counts: r.series.of(w, n.name), weight: 1}}}
		}
	}
	for i := range routes {
		out[routes[i].way()] = r.targetOf(&routes[i])
	}
	return out
}

// backendsOf are the names of the Services that each way in leads to.
func backendsOf(targets map[Way]*weighted) map[Way][]string {
	out := make(map[Way][]string, len(targets))
	for w, target := range targets {
		out[w] = []string{}
		for _, s := range target.shares {
			out[w] = append(out[w], s.backend)
		}
	}
	return out
}

func (r *Router) targetOf(rt *Route) *weighted {
	w := &weighted{}
	r.series.keep(rt.way())
	for _, b := range rt.Backends {
		to := r.balancers[portID{name{rt.Namespace, b.Service}, b.Port}]
		if to == nil { // there is no such Service: no pod is ever ready
			to = &balancer{}
		}
		r.series.keep(rt.way(), b.Service)
		w.shares = append(w.shares, share{backend: b.Service, balancer: to, counts: r.series.of(rt.way(), b.Service), weight: b.Weight})
	}
	return w
}

// Reweigh gives a route other weights.
func (r *Router) Reweigh(rt Route) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.fronts[rt.way()]; f != nil {
		f.target.Store(r.targetOf(&rt))
	}
}

// Publish makes these the pods that requests go to. When it returns, no request
// goes to any other.
func (r *Router) Publish(ready []Pod) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ready = ready
	r.spread()
}

func (r *Router) spread() {
	for i := range r.services {
		s := &r.services[i]
		n := nameOf(s)
		for _, sp := range s.Spec.Ports {
			var to []endpoint
			for _, p := range r.ready {
				if p.Namespace != n.namespace || !selects(s.Spec.Selector, p.Labels) {
					continue
				}
				if port, has := p.Port(targetPort(sp)); has {
					to = append(to, endpoint{net.JoinHostPort(cmp.Or(p.IP, loopback), strconv.Itoa(port)), p.Flight})
				}
			}
			r.balancers[portID{n, sp.Port}].set(to)
		}
	}
}

// Address is where the first of the ways in of an object listens, as host:port.
func (r *Router) Address(kind, namespace, name string) (string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.order {
		if w.Kind == kind && w.Namespace == namespace && w.Name == name {
			return r.fronts[w].address, true
		}
	}
	return "", false
}

// Close answers what is under way and closes every listener.
func (r *Router) Close(ctx context.Context) error {
	r.mu.Lock()
	all := slices.Collect(maps.Values(r.listeners))
	r.listeners, r.fronts, r.order = map[string]*listener{}, map[Way]*front{}, nil
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

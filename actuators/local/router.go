package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	corev1 "k8s.io/api/core/v1"

	"github.com/scanflow-k8s/scanflow/actuators/local/pod"
)

// frontID names one way in. A Service has one for each of its ports.
type frontID struct {
	objectID
	port int32
}

type portID struct {
	service key
	port    int32
}

// endpointPod is a ready pod as the router needs it.
type endpointPod struct {
	namespace string
	labels    map[string]string
	ports     []pod.Port
	flight    *flight
}

// router has one listener for each way in, and keeps it through every change that
// leaves it be.
type router struct {
	random    bool
	log       hclog.Logger
	transport *http.Transport
	serving   sync.WaitGroup
	ctx       context.Context // of every request; ended when the router is closed
	cancel    context.CancelFunc

	mu        sync.Mutex
	listeners map[string]*listener // by listenKey
	fronts    map[frontID]*front
	order     []frontID // as declared
	services  []corev1.Service
	balancers map[portID]*balancer
	ready     []endpointPod
}

func newRouter(opts Options) *router {
	ctx, cancel := context.WithCancel(context.Background())
	return &router{
		random: opts.RandomPorts, log: opts.Log, ctx: ctx, cancel: cancel,
		transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			MaxIdleConnsPerHost: 256,
			IdleConnTimeout:     30 * time.Second,
			DisableCompression:  true, // answers are passed on as they are
		},
		listeners: map[string]*listener{}, fronts: map[frontID]*front{}, balancers: map[portID]*balancer{},
	}
}

// set makes these the ways in. Either all can be listened on, or nothing changes.
func (r *router) set(ctx context.Context, services []corev1.Service, routes map[key]*route) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids := wantedFronts(services, routes)
	opened, err := r.open(ctx, ids)
	if err != nil {
		return err
	}
	maps.Copy(r.listeners, opened)
	r.services = services
	balancers := map[portID]*balancer{}
	for i := range services {
		for _, p := range services[i].Spec.Ports {
			id := portID{keyOf(&services[i].ObjectMeta), p.Port}
			if balancers[id] = r.balancers[id]; balancers[id] == nil {
				balancers[id] = &balancer{}
			}
		}
	}
	r.balancers = balancers
	fronts, used := map[frontID]*front{}, map[string]bool{}
	for _, id := range ids {
		f := r.fronts[id]
		if f == nil {
			f = newFront(id, r.transport, r.log)
		}
		at := r.listenKey(id)
		f.address = r.listeners[at].address
		if id.kind == kindService {
			f.target.Store(&weighted{shares: []share{{balancer: balancers[portID{id.key, id.port}], weight: 1}}})
		} else {
			f.target.Store(r.targetOf(routes[id.key]))
		}
		r.listeners[at].front.Store(f)
		fronts[id], used[at] = f, true
	}
	r.fronts, r.order = fronts, ids
	for at, l := range r.listeners {
		if !used[at] {
			delete(r.listeners, at)
			r.serving.Go(func() { _ = l.close(r.ctx) })
		}
	}
	r.spread()
	return nil
}

// open listens where nobody listens yet.
func (r *router) open(ctx context.Context, ids []frontID) (map[string]*listener, error) {
	opened, owner := map[string]*listener{}, map[string]frontID{}
	var errs []error
	for _, id := range ids {
		at := r.listenKey(id)
		if first, taken := owner[at]; taken {
			errs = append(errs, fmt.Errorf("%s and %s both want port %d of 127.0.0.1; give one another port", first, id, id.port))
			continue
		}
		owner[at] = id
		if r.listeners[at] != nil {
			continue
		}
		port := int(id.port)
		if r.random {
			port = 0
		}
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			errs = append(errs, fmt.Errorf("%s can't listen: %w; free the port, or give it another (1024 and up need no privilege)", id, err))
			continue
		}
		opened[at] = serve(r, l)
	}
	if len(errs) > 0 {
		for _, l := range opened {
			_ = l.close(r.ctx)
		}
		return nil, errors.Join(errs...)
	}
	return opened, nil
}

// listenKey is what a listener is kept by: its port, so that two ways in can
// change places; or its user where the port is any.
func (r *router) listenKey(id frontID) string {
	if r.random {
		return id.String() + ":" + strconv.Itoa(int(id.port))
	}
	return strconv.Itoa(int(id.port))
}

func wantedFronts(services []corev1.Service, routes map[key]*route) []frontID {
	var ids []frontID
	for i := range services {
		for _, p := range services[i].Spec.Ports {
			ids = append(ids, frontID{objectID{kindService, keyOf(&services[i].ObjectMeta)}, p.Port})
		}
	}
	for _, k := range keysOf(routes) {
		ids = append(ids, frontID{objectID{kindRoute, k}, routes[k].spec.Spec.ParentRefs[0].Port})
	}
	return ids
}

func (r *router) targetOf(rt *route) *weighted {
	w, weights := &weighted{}, rt.weights()
	for _, b := range rt.spec.Spec.Rules[0].BackendRefs {
		to := r.balancers[portID{key{keyOf(&rt.spec.ObjectMeta).namespace, b.Name}, b.Port}]
		w.shares = append(w.shares, share{balancer: to, weight: weights[b.Name]})
	}
	return w
}

// reweigh gives a route other weights.
func (r *router) reweigh(rt *route) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id := frontID{objectID{kindRoute, keyOf(&rt.spec.ObjectMeta)}, rt.spec.Spec.ParentRefs[0].Port}
	if f := r.fronts[id]; f != nil {
		f.target.Store(r.targetOf(rt))
	}
}

// publish makes these the pods that requests go to. When it returns, no request
// goes to any other.
func (r *router) publish(ready []endpointPod) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ready = ready
	r.spread()
}

func (r *router) spread() {
	for i := range r.services {
		s := &r.services[i]
		k := keyOf(&s.ObjectMeta)
		for _, sp := range s.Spec.Ports {
			var to []endpoint
			for _, p := range r.ready {
				if p.namespace != k.namespace || !selects(s.Spec.Selector, p.labels) {
					continue
				}
				for _, have := range p.ports {
					if portIs(targetOf(sp), have.Name, have.Container) {
						to = append(to, endpoint{net.JoinHostPort("127.0.0.1", strconv.Itoa(have.Host)), p.flight})
						break
					}
				}
			}
			r.balancers[portID{k, sp.Port}].set(to)
		}
	}
}

// snapshot is the ways in, in a fixed order.
func (r *router) snapshot() []*front {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.SortedFunc(maps.Values(r.fronts), func(a, b *front) int {
		return cmp.Or(cmp.Compare(a.id.kind, b.id.kind), cmp.Compare(a.id.namespace, b.id.namespace),
			cmp.Compare(a.id.name, b.id.name), cmp.Compare(a.id.port, b.id.port))
	})
}

// close answers what is under way and closes every listener.
func (r *router) close(ctx context.Context) error {
	r.mu.Lock()
	all := slices.Collect(maps.Values(r.listeners))
	r.listeners, r.fronts, r.order = map[string]*listener{}, map[frontID]*front{}, nil
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

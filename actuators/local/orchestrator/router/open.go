package router

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

// loopback is where every way in listens, and where a pod is without an address of its own.
const loopback = "127.0.0.1"

// ListenError says that a way in can't be listened on.
type ListenError struct {
	Way Way
	Err error
	// Taken is the way in that has the port already; nil where a stranger has it, or it
	// may not be used.
	Taken *Way
}

func (e *ListenError) Error() string {
	if e.Taken != nil {
		return fmt.Sprintf("%s and %s both want port %d of %s; give one another port", e.Taken, e.Way, e.Way.Port, loopback)
	}
	return fmt.Sprintf("%s can't listen: %v; free the port, or give it another (1024 and up need no privilege)", e.Way, e.Err)
}

func (e *ListenError) Unwrap() error { return e.Err }

// open listens where nobody listens yet.
func (r *Router) open(ctx context.Context, ways []Way) (map[string]*listener, error) {
	opened, owner := map[string]*listener{}, map[string]Way{}
	var errs []error
	for _, w := range ways {
		at := r.listenKey(w)
		if first, taken := owner[at]; taken {
			errs = append(errs, &ListenError{Way: w, Taken: &first})
			continue
		}
		owner[at] = w
		if r.listeners[at] != nil {
			continue
		}
		port := int(w.Port)
		if r.opts.RandomPorts {
			port = 0
		}
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
		if err != nil {
			errs = append(errs, &ListenError{Way: w, Err: err})
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

// listenKey identifies a listener: by its port, so that two ways in can
// change places; or its user where the port is any.
func (r *Router) listenKey(w Way) string {
	if r.opts.RandomPorts {
		return w.String() + ":" + strconv.Itoa(int(w.Port))
	}
	return strconv.Itoa(int(w.Port))
}

func (r *Router) wanted(services []corev1.Service, routes []Route) []Way {
	var ways []Way
	for i := range services {
		if r.opts.RoutesOnly {
			break
		}
		n := nameOf(&services[i])
		for _, p := range services[i].Spec.Ports {
			ways = append(ways, Way{KindService, n.namespace, n.name, p.Port})
		}
	}
	for i := range routes {
		ways = append(ways, routes[i].way())
	}
	return ways
}

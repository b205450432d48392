package clusterview

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

var (
	_ engine.Orchestrator = (*View)(nil)
	_ engine.Watcher      = (*View)(nil)
)

// ErrClosed is the error of every call after Close.
var ErrClosed = errors.New("the view of the cluster is closed")

var errReleased = errors.New("no fleet has these objects any more")

const (
	defaultMaxStaleness = time.Minute
	// lingerFor is how long an informer runs without users. An agent that is edited releases
	// what it reads before it reads again, and must not list it again.
	lingerFor = 30 * time.Second
)

// Options configure a View.
type Options struct {
	Client *apiclient.Client
	// Namespace is the only namespace that is read; "" is the whole cluster.
	Namespace string
	// Shard reports whether this process acts on a target; nil accepts all. It does not
	// apply to triggers: every process watches all objects.
	Shard func(namespace, name string, labels map[string]string) bool
	// MaxStaleness bounds the time without the API server after which reads return an error; 0
	// is a minute.
	MaxStaleness time.Duration
	Log          hclog.Logger // nil discards
	Clock        engine.Clock // nil is engine.WallClock
}

// View caches objects of the cluster. It is safe for concurrent use. The first use of a
// kind starts an informer; Close stops them all.
type View struct {
	client    *apiclient.Client
	namespace string
	shard     func(namespace, name string, labels map[string]string) bool
	maxStale  time.Duration
	log       hclog.Logger
	clock     engine.Clock
	intern    interner
	linger    time.Duration

	ctx    context.Context // ends when Close begins
	cancel context.CancelFunc
	work   sync.WaitGroup // the informers

	mu        sync.RWMutex
	closed    bool
	informers map[informerKey]*informer
	byKind    map[string][]*informer // those that fleets share
}

// New makes a View, which sends no request yet.
func New(o Options) *View {
	v := &View{
		client: o.Client, namespace: o.Namespace, shard: o.Shard, maxStale: cmp.Or(o.MaxStaleness, defaultMaxStaleness), log: o.Log, clock: o.Clock, linger: lingerFor,
		informers: map[informerKey]*informer{}, byKind: map[string][]*informer{},
	}
	if v.log == nil {
		v.log = hclog.NewNullLogger()
	}
	if v.clock == nil {
		v.clock = engine.WallClock{}
	}
	v.ctx, v.cancel = context.WithCancel(context.Background())
	return v
}

// Close stops every informer and waits for them until ctx ends.
func (v *View) Close(ctx context.Context) error {
	v.mu.Lock()
	v.closed = true
	v.mu.Unlock()
	v.cancel()
	done := make(chan struct{})
	go func() { defer close(done); v.work.Wait() }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close the view of the cluster: %w", ctx.Err())
	}
}

// scope checks that the View may read a namespace; "" and "*" are all of them, which it
// returns as "".
func (v *View) scope(namespace, what string) (string, error) {
	switch {
	case namespace == "*":
		namespace = ""
		fallthrough
	case namespace == "":
		if v.namespace != "" {
			return "", fmt.Errorf("%s of every namespace are asked for, and this installation may see the namespace %s alone; name that one, or install it cluster-wide", what, v.namespace)
		}
	case v.namespace != "" && namespace != v.namespace:
		return "", fmt.Errorf("%s of the namespace %s are asked for, and this installation may see the namespace %s alone; install another there, or this one cluster-wide", what, namespace, v.namespace)
	}
	return namespace, nil
}

// acquire returns the informer of a key and starts it for its first user. Every acquire
// needs a release.
func (v *View) acquire(key informerKey) (*informer, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.acquireLocked(key)
}

func (v *View) acquireLocked(key informerKey) (*informer, error) {
	if v.closed {
		return nil, ErrClosed
	}
	if inf := v.informers[key]; inf != nil {
		if inf.users++; inf.users == 1 {
			inf.keep()
		}
		return inf, nil
	}
	inf := newInformer(v, key)
	inf.users = 1
	var ctx context.Context
	ctx, inf.stop = context.WithCancel(v.ctx)
	v.informers[key] = inf
	if key.workloads() {
		list := append(slices.Clone(v.byKind[key.kind]), inf)
		slices.SortFunc(list, byScope)
		v.byKind[key.kind] = list
	}
	v.work.Go(func() { inf.run(ctx) })
	return inf, nil
}

func (v *View) release(inf *informer) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.releaseLocked(inf)
}

func (v *View) releaseLocked(inf *informer) {
	if inf.users--; inf.users > 0 {
		return
	}
	if v.closed || v.linger == 0 {
		v.end(inf)
		return
	}
	unused, keep := context.WithCancel(v.ctx)
	inf.keep = keep
	v.work.Go(func() {
		defer keep()
		engine.Sleep(unused, v.clock, v.linger)
		v.mu.Lock()
		defer v.mu.Unlock()
		if unused.Err() == nil {
			v.end(inf)
		}
	})
}

// end stops an informer without users, and what it alone has used. The View is locked.
func (v *View) end(inf *informer) {
	inf.stop()
	delete(v.informers, inf.key)
	if inf.key.workloads() {
		v.byKind[inf.key.kind] = slices.DeleteFunc(slices.Clone(v.byKind[inf.key.kind]), func(other *informer) bool { return other == inf })
	}
	if inf.podsOf != nil {
		v.endUse(inf.podsOf)
	}
	v.releaseAutoscalers(inf)
}

// endUse releases an informer that has waited together with its user. The View is locked.
func (v *View) endUse(inf *informer) {
	if inf.users--; inf.users == 0 {
		v.end(inf)
	}
}

// podsFor returns the informer of the pods of another informer's objects. The first call
// acquires it, and releasing inf releases it.
func (v *View) podsFor(inf *informer) (*informer, error) {
	v.mu.RLock()
	pods := inf.podsOf
	v.mu.RUnlock()
	if pods != nil {
		return pods, nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if inf.users == 0 { // released meanwhile: nobody would release the pods
		return nil, errReleased
	}
	if inf.podsOf == nil {
		pods, err := v.acquireLocked(informerKey{apiVersion: "v1", kind: "Pod", namespace: inf.key.namespace, pods: true})
		if err != nil {
			return nil, err
		}
		inf.podsOf = pods
	}
	return inf.podsOf, nil
}

package wiring

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/actuators"
	"github.com/scanflow-k8s/scanflow/actuators/kubernetes"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kube"
	"github.com/scanflow-k8s/scanflow/engine/lease"
	"github.com/scanflow-k8s/scanflow/engine/ledger"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/policy"
	"github.com/scanflow-k8s/scanflow/engine/resource"
)

// KubernetesOptions are what a process needs to serve the agents of a cluster.
type KubernetesOptions struct {
	Client *kube.Client
	// Namespace is the only one whose agents and objects are looked at; "" is all.
	Namespace string
	// Install names the Lease and the ledgers, in the client's own namespace: two
	// installs of one name share them, and so are one.
	Install string
	// Identity names this replica in the Lease.
	Identity string
	Shard    Shard
	// Elect campaigns for the Lease before anything is done; else this process is the
	// only one, and has been told so.
	Elect         bool
	LeaseDuration time.Duration
}

// cluster is what a system has of a cluster. Everything but the term goes on while
// another replica leads, so that this one can take over at once.
type cluster struct {
	KubernetesOptions
	view     *kubernetes.View
	source   *resource.Source
	events   *kubernetes.Recorder
	board    *board
	agents   sync.WaitGroup // the source's own goroutine
	stop     context.CancelFunc
	kick     chan struct{} // a term began
	accepted accepted
}

// startKubernetes serves the agents of a cluster:
//
//	always                 agents accepted or refused, policies reloaded
//	while leading (a term) ledger opened, host with the accepted agents, status and events written
func startKubernetes(ctx context.Context, o Options) (*System, error) {
	k := *o.Kubernetes
	k.Install = cmp.Or(k.Install, "scanflow")
	s := &System{opts: o, reloads: reloads{swapped: make(chan struct{}, 1)}}
	none := []*manifest.Agent{}
	s.agents.Store(&none)
	c := &cluster{KubernetesOptions: k, kick: make(chan struct{}, 1), accepted: accepted{by: map[string]*acceptedAgent{}}}
	c.view = kubernetes.NewView(kubernetes.Options{Client: k.Client, Namespace: k.Namespace, Shard: k.Shard.takes, Clock: o.Clock, Log: o.Log.Named("kubernetes")})
	c.source = resource.New(resource.Options{Client: k.Client, Namespace: k.Namespace, Kinds: Kinds(), Clock: o.Clock, Log: o.Log.Named("agents")})
	c.events = kubernetes.NewRecorder(kubernetes.RecorderOptions{Client: k.Client, View: c.view, Instance: k.Identity, Clock: o.Clock, Log: o.Log.Named("events")})
	c.board = newBoard(c.source.Report, func() bool { return s.host.Load() != nil && k.Shard.Index == 0 })
	s.cluster = c
	s.opts.Observers = append(o.Observers, c.events, c.board)
	s.Policies = policy.NewStore(PolicyReader(o.Policies), policy.StoreOptions{
		Clock: o.Clock, Log: o.Log.Named("policy"), Validate: s.validate, Swapped: s.onSwap,
	})
	if err := errors.Join(s.Policies.Load(ctx), s.openJournal(ctx)); err != nil {
		return nil, errors.Join(err, s.Close(ctx))
	}
	background := context.WithoutCancel(ctx)
	sourceCtx, stopSource := context.WithCancel(background)
	c.stop = stopSource
	c.agents.Go(func() { c.source.Run(sourceCtx) })
	watchCtx, stop := context.WithCancel(background)
	s.stop = stop
	if o.Policies != "" {
		s.watches.Go(func() { s.Policies.Watch(watchCtx, o.Policies) })
	}
	s.watches.Go(func() { s.judgeAgents(watchCtx) })
	s.watches.Go(func() { s.serveTerms(watchCtx) })
	return s, nil
}

// serveTerms leads whenever it may.
func (s *System) serveTerms(ctx context.Context) {
	k := s.cluster
	if !k.Elect {
		for ctx.Err() == nil {
			if err := s.term(ctx, func() error { return nil }); err != nil {
				s.opts.Log.Error("the agents can't be run yet", "error", err)
				wait, stop := s.opts.Clock.Timer(lease.DefaultRetry)
				select {
				case <-wait:
				case <-ctx.Done():
				}
				stop()
			}
		}
		return
	}
	// Its own connection: a renewal must not wait for room behind a thousand acts.
	own, err := kube.FromConfig(k.Client.Config, k.Client.Namespace, kube.Options{UserAgent: k.Client.Config.UserAgent})
	if err != nil {
		s.opts.Log.Error("the election can't begin", "error", err)
		return
	}
	d := cmp.Or(k.LeaseDuration, lease.DefaultDuration)
	err = lease.Run(ctx, lease.Options{
		Client: own, Namespace: k.Client.Namespace, Name: k.Shard.named(k.Install), Identity: k.Identity,
		Duration: d, Renew: d * 2 / 3, Retry: d * 2 / 15, Log: s.opts.Log.Named("lease"),
	}, s.term)
	if err != nil && ctx.Err() == nil {
		s.opts.Log.Error("the election can't go on", "error", err)
	}
}

// term runs the agents for as long as this process leads. fence says at each write
// whether it still does.
func (s *System) term(ctx context.Context, fence func() error) error {
	k, o := s.cluster, &s.opts
	fenced, err := k.Client.Fenced(fence)
	if err != nil {
		return err
	}
	name := k.Shard.named(k.Install)
	log, err := ledger.Open(ctx, ledger.Options{
		Client: fenced, Namespace: k.Client.Namespace, Install: k.Install, Name: name, Writer: k.Identity,
		History: s.Journal, Owns: k.Shard.remembers, Horizon: s.horizon(), Clock: o.Clock, Log: o.Log.Named("ledger"),
	})
	if err != nil {
		return fmt.Errorf("open the ledger %s: %w", name, err)
	}
	host := s.newHost(log, actuators.Env{Kubernetes: &kubernetes.Cluster{Client: fenced, View: k.view, Clock: o.Clock}}, k.view)
	s.host.Store(host)
	o.Log.Info("leading", "identity", k.Identity, "shard", k.Shard.Index)
	signal(k.kick)
	select {
	case <-ctx.Done():
	case <-log.Lost():
		err = errors.New("the ledger has another writer")
	}
	host.Closing()
	host.Close()
	s.host.Store(nil)
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), journalDeadline)
	defer cancel()
	if err := log.Close(closing); err != nil {
		o.Log.Warn("the ledger did not close in order; the next leader settles what is open", "error", err)
	}
	o.Log.Info("leading no more", "identity", k.Identity)
	return err
}

// horizon is how far back the ledger has to remember.
func (s *System) horizon() time.Duration {
	h := 24 * time.Hour
	for _, a := range *s.agents.Load() {
		if spec, err := a.EngineSpec(); err == nil {
			h = max(h, spec.Guards.Horizon())
		}
	}
	return h
}

// concurrency is how many calls of an agent's acts are under way at once; 0 is the
// engine's own. In a cluster each is one short request, so that more of them hide
// its latency; how many the API server takes is its own priority and fairness to say.
func (s *System) concurrency() int {
	if s.cluster == nil {
		return 0
	}
	return 200
}

// fits tells whether policies go with the agents as they are written down.
func (c *cluster) fits(r *policy.Revision) bool {
	var agents []*manifest.Agent
	for _, f := range c.source.Agents() {
		if f.Agent == nil {
			return false
		}
		agents = append(agents, f.Agent)
	}
	return Verify(agents, r) == nil
}

// close ends what goes on between terms.
func (c *cluster) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), localDeadline)
	defer cancel()
	errs := []error{c.events.Close(ctx), c.source.Close(ctx)}
	if c.stop != nil {
		c.stop()
		c.agents.Wait()
	}
	return errors.Join(append(errs, c.view.Close(ctx))...)
}

// Leading tells whether the agents run here, and on no other replica.
func (s *System) Leading() bool { return s.host.Load() != nil }

// Unready says why a process that serves a cluster can't take over; nil where it can,
// or where it serves none. One that stands by is ready.
func (s *System) Unready() []string {
	if s.cluster == nil {
		return nil
	}
	if err := s.cluster.source.Fault(); err != nil {
		return []string{err.Error()}
	}
	return nil
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

var _ engine.Watcher = (*kubernetes.View)(nil)

package app

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/hosts"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/agentcr"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/clusterview"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/events"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/ledger"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/policy"
)

// KubernetesOptions are what a process needs to serve the agents of a cluster.
type KubernetesOptions struct {
	Client *apiclient.Client
	// Namespace is the only one whose agents and objects are looked at; "" is all.
	Namespace string
	// Agents selects by label which agents this process runs; "" is all.
	Agents string
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
	// SecretHosts are where every Secret that an agent names may be sent. Each may be sent
	// to the hosts of its annotation besides.
	SecretHosts hosts.List
}

// cluster is what a system has of a cluster. Everything but the term goes on while
// another replica leads, so that this one can take over at once.
type cluster struct {
	KubernetesOptions
	view     *clusterview.View
	secrets  *apiclient.Secrets
	refused  refusedHosts
	clock    engine.Clock
	source   *agentcr.Source
	events   *events.Recorder
	board    *board
	agents   sync.WaitGroup // the source's own goroutine
	stop     context.CancelFunc
	kick     chan struct{} // a term began
	applied  chan struct{} // other agents run
	judged   chan struct{} // closed when the agents were judged for the first time
	accepted accepted
	declared atomic.Pointer[map[string]bool] // the agents that are there, refused ones too, as last judged
	horizon  atomic.Int64                    // how far back the guards of the accepted agents look, in nanoseconds
	ledger   atomic.Pointer[ledger.Ledger]
	fault    atomic.Pointer[fault]
	fence    atomic.Pointer[func() error] // of the term; nil between terms
}

// startKubernetes serves the agents of a cluster:
//
//	always                 agents accepted or refused, policies reloaded
//	while leading (a term) ledger opened, host with the accepted agents, status and events written
func (s *System) startKubernetes(ctx context.Context) error {
	o := s.opts
	k := *o.Kubernetes
	k.Install = cmp.Or(k.Install, defaultInstall)
	none := []*manifest.Agent{}
	s.agents.Store(&none)
	c := &cluster{KubernetesOptions: k, clock: o.Clock, kick: make(chan struct{}, 1), applied: make(chan struct{}, 1), judged: make(chan struct{}), accepted: accepted{by: map[string]*acceptedAgent{}, logged: map[string]string{}}}
	c.secrets = apiclient.NewSecrets(k.Client, o.Clock, k.SecretHosts)
	s.credentials.from = c.readSecret
	c.view = clusterview.New(clusterview.Options{Client: k.Client, Namespace: k.Namespace, Shard: k.Shard.takes, Clock: o.Clock, Log: o.Log.Named("kubernetes")})
	leading, err := k.Client.Fenced(c.leads) // a status is the leader's to write
	if err != nil {
		return err
	}
	c.source = agentcr.New(agentcr.Options{Client: leading, Namespace: k.Namespace, Selector: k.Agents, Kinds: Kinds(), Clock: o.Clock, Log: o.Log.Named("agents")})
	c.events = events.NewRecorder(events.Options{Client: k.Client, View: c.view, Instance: k.Identity, Clock: o.Clock, Log: o.Log.Named("events")})
	c.board = newBoard(c.source.Report, func() bool { return s.host.Load() != nil && k.Shard.Index == 0 })
	s.cluster = c
	s.opts.Observers = append(o.Observers, c.events, c.board)
	if err := s.loadPolicies(ctx); err != nil {
		if _, _, err = s.goOn(ctx, err); err != nil {
			return err
		}
	}
	if err := s.openJournal(ctx); err != nil {
		return err
	}
	if err := s.takeOver(ctx); err != nil {
		return err
	}
	background := context.WithoutCancel(ctx)
	sourceCtx, stopSource := context.WithCancel(background)
	c.stop = stopSource
	c.agents.Go(func() { c.source.Run(sourceCtx) })
	watchCtx, stop := context.WithCancel(background)
	s.stop = stop
	s.followPolicies(watchCtx)
	s.watches.Go(func() { s.judgeAgents(watchCtx) })
	s.watches.Go(func() { s.serveTerms(watchCtx) })
	s.watches.Go(func() { s.watchSecretHosts(watchCtx) })
	return nil
}

// readSecret reads a Secret for an agent of a namespace, to be sent to an address.
func (c *cluster) readSecret(ctx context.Context, namespace string, ref manifest.SecretKeyRef, to *url.URL) (string, error) {
	value, err := c.secrets.Read(ctx, namespace, ref.Name, ref.Key, to)
	c.refused.note(err, to, c.clock.Now())
	return value, err
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
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), clusterDeadline)
	defer cancel()
	if c.stop != nil {
		c.stop()
		c.agents.Wait()
	}
	status := c.source.Close(ctx)
	if errors.Is(status, apiclient.ErrDeposed) { // what was left to write, the next leader writes
		status = nil
	}
	return errors.Join(status, c.events.Close(ctx), c.view.Close(ctx))
}

// Leading tells whether the agents run here, and on no other replica.
func (s *System) Leading() bool { return s.host.Load() != nil }

// Unready says why a process that serves a cluster can't take over; nil where it can,
// or where it serves none. One that stands by is ready.
func (s *System) Unready() []string {
	if s.cluster == nil {
		return nil
	}
	var why []string
	if err := s.cluster.source.Fault(); err != nil {
		why = append(why, err.Error())
	}
	if f := s.cluster.fault.Load(); f != nil && (f.until.IsZero() || s.opts.Clock.Now().Before(f.until)) {
		why = append(why, f.err.Error())
	}
	return why
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

var _ engine.Watcher = (*clusterview.View)(nil)

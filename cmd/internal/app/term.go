package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/scanflow-k8s/scanflow/actuators"
	"github.com/scanflow-k8s/scanflow/actuators/kubernetes"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/lease"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/ledger"
)

// fault is why this process could not lead when it might have.
type fault struct {
	err   error
	until time.Time // by then it has tried again, or another leads; zero is for good
}

// faultStays is how long a try to lead that failed makes a process unready.
const faultStays = time.Minute

// serveTerms leads whenever it may, once it knows the agents: before, it would not know
// what to do with the lead, nor how much of the ledger they need.
func (s *System) serveTerms(ctx context.Context) {
	k := s.cluster
	select {
	case <-k.judged:
	case <-ctx.Done():
		return
	}
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
	own, err := apiclient.FromConfig(k.Client.Config, k.Client.Namespace, apiclient.Options{UserAgent: k.Client.Config.UserAgent})
	if err != nil {
		s.opts.Log.Error("the election can't begin", "error", err)
		k.fault.Store(&fault{err: err})
		return
	}
	d := cmp.Or(k.LeaseDuration, lease.DefaultDuration)
	err = lease.Run(ctx, lease.Options{
		Client: own, Namespace: k.Client.Namespace, Name: k.Shard.named(k.Install), Identity: k.Identity,
		Duration: d, Renew: d * 2 / 3, Retry: d * 2 / 15, Log: s.opts.Log.Named("lease"),
	}, s.term)
	if err != nil && ctx.Err() == nil {
		s.opts.Log.Error("the election can't go on", "error", err)
		k.fault.Store(&fault{err: err})
	}
}

// term runs the agents for as long as this process leads. fence says at each write
// whether it still does.
func (s *System) term(ctx context.Context, fence func() error) error {
	k, o := s.cluster, &s.opts
	var mine atomic.Pointer[ledger.Ledger]
	both := func() error { return errors.Join(fence(), ledgerFence(mine.Load())) }
	fenced, err := k.Client.Fenced(both)
	if err != nil {
		return err
	}
	name := k.Shard.named(k.Install)
	adopt, err := k.orphans(ctx)
	if err != nil {
		k.fault.Store(&fault{err, o.Clock.Now().Add(faultStays)})
		return err
	}
	log, err := ledger.Open(ctx, ledger.Options{
		Client: fenced, Namespace: k.Client.Namespace, Install: k.Install, Name: name, Writer: k.Identity,
		History: s.Journal, Owns: k.Shard.remembers, Adopt: adopt, Horizon: k.lookBack(), Clock: o.Clock, Log: o.Log.Named("ledger"),
	})
	if err != nil {
		err = fmt.Errorf("open the ledger %s: %w", name, err)
		k.fault.Store(&fault{err, o.Clock.Now().Add(faultStays)})
		return err
	}
	mine.Store(log)
	k.ledger.Store(log)
	k.fence.Store(&both)
	log.Keep(k.lookBack()) // it may have grown while the ledger was opened
	k.fault.Store(nil)
	host := s.newHost(log, actuators.Env{Kubernetes: &kubernetes.Cluster{Client: fenced, View: k.view, Clock: o.Clock}}, k.view)
	s.host.Store(host)
	o.Log.Info("leading", "identity", k.Identity, "shard", k.Shard.Index)
	signal(k.kick)
	select {
	case <-ctx.Done():
	case <-log.Lost():
		err = errLedgerLost
	}
	host.BeginClose()
	host.Close()
	s.host.Store(nil)
	k.ledger.Store(nil)
	k.fence.Store(nil)
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), journalDeadline)
	defer cancel()
	if err := log.Close(closing); err != nil {
		o.Log.Warn("the ledger did not close in order; the next leader settles what is open", "error", err)
	}
	o.Log.Info("leading no more", "identity", k.Identity)
	return err
}

// orphans are the ledgers of shards that are no more, whose leases were given up: the
// first shard takes over what they left open.
func (c *cluster) orphans(ctx context.Context) ([]string, error) {
	if c.Shard.Index != 0 {
		return nil, nil
	}
	logs, err := ledger.Logs(ctx, c.Client, c.Client.Namespace, c.Install)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, name := range logs {
		if slices.Contains(c.Shard.all(c.Install), name) {
			continue
		}
		free, err := lease.GivenUp(ctx, c.Client, c.Client.Namespace, name)
		if err != nil {
			return nil, err
		}
		if free {
			out = append(out, name)
		}
	}
	return out, nil
}

// leads is nil while this process leads.
func (c *cluster) leads() error {
	if fence := c.fence.Load(); fence != nil {
		return (*fence)()
	}
	return errors.New("another replica may lead")
}

var errLedgerLost = errors.New("the ledger has another writer")

// ledgerFence closes once the ledger has another writer, who settles the acts under
// way: the lease may be ours still, or there may be none.
func ledgerFence(log *ledger.Ledger) error {
	if log == nil { // it is being opened
		return nil
	}
	select {
	case <-log.Lost():
		return errLedgerLost
	default:
		return nil
	}
}

// lookBack is how far back the ledger has to remember.
func (c *cluster) lookBack() time.Duration { return max(24*time.Hour, time.Duration(c.horizon.Load())) }

// keep has the ledger remember as much as the guards of these agents need, before
// they act.
func (c *cluster) keep(specs []engine.Spec) {
	h := time.Duration(0)
	for i := range specs {
		h = max(h, specs[i].Guards.Horizon())
	}
	c.horizon.Store(int64(h))
	if log := c.ledger.Load(); log != nil {
		log.Keep(h)
	}
}

package leadership

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/shard"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/lease"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/ledger"
	"github.com/scanflow-k8s/scanflow/engine/loop"
)

const (
	// faultShown is the time for which a failed attempt to lead makes the process unready.
	faultShown = time.Minute
	// ledgerCloseTimeout bounds the closing of the ledger at the end of a term.
	ledgerCloseTimeout = 2 * time.Second
)

// Replica is this process among those that may lead.
type Replica struct {
	Client *apiclient.Client
	// Install names the Lease and the ledgers in the client's own namespace. Two
	// installations with one name share them, and so are one. "" is "scanflow".
	Install string
	// Identity names this replica in the Lease.
	Identity string
	Shard    shard.Shard
	// Elect has the process campaign for the Lease before it acts. Otherwise it is the
	// only one of its installation and shard.
	Elect         bool
	LeaseDuration time.Duration // 0 is lease.DefaultDuration
	// Scope names the namespace, the agents and the shard that this process serves. Replicas of one
	// installation and shard have the same.
	Scope lease.Scope
}

// Options configure a Leader.
type Options struct {
	Replica
	State *State
	// Ready is closed once the agents are known. No term begins before: it would not know
	// how much of the ledger the agents need.
	Ready <-chan struct{}
	// History is the journal that the ledger writes the acts of the past to.
	History engine.Journal
	// NewManager makes the manager of a term. It writes to the ledger, and acts through
	// the client, which is fenced.
	NewManager func(*ledger.Ledger, *apiclient.Client) *loop.Manager
	// Began is called when the manager of a term can run agents.
	Began func()
	Clock engine.Clock
	Log   hclog.Logger
}

// Leader runs terms.
//
//	Ready -> campaign -> Lead: open the ledger -> make the manager -> Began ... -> close both -> campaign
type Leader struct {
	Options
	fault    atomic.Pointer[fault]
	election lease.State
}

// fault is why this process could not lead when it might have.
type fault struct {
	err   error
	until time.Time // by then it has tried again, or another leads; zero is for good
}

// New makes a leader that does nothing before Run.
func New(o Options) *Leader { return &Leader{Options: o} }

// Fault returns why this process can't lead, nil where it can.
func (l *Leader) Fault() error {
	if f := l.fault.Load(); f != nil && (f.until.IsZero() || l.Clock.Now().Before(f.until)) {
		return f.err
	}
	return nil
}

func (l *Leader) failed(err error) error {
	l.fault.Store(&fault{err, l.Clock.Now().Add(faultShown)})
	return err
}

// Run leads whenever it may, until ctx ends.
func (l *Leader) Run(ctx context.Context) {
	select {
	case <-l.Ready:
	case <-ctx.Done():
		return
	}
	if !l.Elect {
		for ctx.Err() == nil {
			if err := l.Lead(ctx, func() error { return nil }); err != nil {
				l.Log.Error("the agents can't be run yet", "error", err)
				engine.Sleep(ctx, l.Clock, lease.DefaultRetry)
			}
		}
		return
	}
	if err := l.campaign(ctx); err != nil && ctx.Err() == nil {
		l.Log.Error("the election can't go on", "error", err)
		l.fault.Store(&fault{err: err})
	}
}

// campaign holds the Lease and leads, again and again, until ctx ends.
func (l *Leader) campaign(ctx context.Context) error {
	o, err := l.leaseOptions()
	if err != nil {
		return err
	}
	return lease.Run(ctx, o, l.Lead)
}

func (l *Leader) leaseOptions() (lease.Options, error) {
	// It has a connection of its own: a renewal must not queue behind a thousand acts.
	own, err := apiclient.FromConfig(l.Client.Config, l.Client.Namespace, apiclient.Options{UserAgent: l.Client.Config.UserAgent})
	d := cmp.Or(l.LeaseDuration, lease.DefaultDuration)
	return lease.Options{
		Client: own, Namespace: l.Client.Namespace, Name: l.Shard.Name(l.Install), Identity: l.Identity,
		Duration: d, Renew: d * 2 / 3, Retry: d * 2 / 15, Scope: l.Scope, State: &l.election, Log: l.Log.Named("lease"),
	}, err
}

// Lead is one term: it runs the agents until ctx ends or the ledger has another writer.
// Each write asks fence whether this process still leads.
func (l *Leader) Lead(ctx context.Context, fence func() error) error {
	var opened atomic.Pointer[ledger.Ledger]
	both := func() error { return errors.Join(fence(), LedgerFence(opened.Load())) }
	fenced, err := l.Client.Fenced(both)
	if err != nil {
		return err
	}
	name := l.Shard.Name(l.Install)
	adopt, err := l.orphans(ctx)
	if err != nil {
		return l.failed(err)
	}
	log, err := ledger.Open(ctx, ledger.Options{
		Client: fenced, Namespace: l.Client.Namespace, Install: l.Install, Name: name, Writer: l.Identity,
		History: l.History, Owns: l.Shard.Remembers, Adopt: adopt, Horizon: l.State.retention(), Clock: l.Clock, Log: l.Log.Named("ledger"),
	})
	if err != nil {
		return l.failed(fmt.Errorf("open the ledger %s: %w", name, err))
	}
	opened.Store(log)
	l.State.ledger.Store(log)
	l.State.fence.Store(&both)
	log.Keep(l.State.retention()) // the horizon may have grown while the ledger was opened
	l.fault.Store(nil)
	manager := l.NewManager(log, fenced)
	l.State.Lead(manager)
	l.Log.Info("leading", "identity", l.Identity, "shard", l.Shard.Index)
	l.Began()
	select {
	case <-ctx.Done():
	case <-log.Lost():
		err = ErrLedgerLost
	}
	manager.Close()
	l.State.Lead(nil)
	l.State.ledger.Store(nil)
	l.State.fence.Store(nil)
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), ledgerCloseTimeout)
	defer cancel()
	if err := log.Close(closing); err != nil {
		l.Log.Warn("the ledger did not close in order; the next leader settles what is open", "error", err)
	}
	l.Log.Info("leading no more", "identity", l.Identity)
	return err
}

// orphans lists the ledgers of shards that no longer exist and whose leases were given up.
// The first shard takes over what they left open.
func (l *Leader) orphans(ctx context.Context) ([]string, error) {
	if l.Shard.Index != 0 {
		return nil, nil
	}
	logs, err := ledger.Logs(ctx, l.Client, l.Client.Namespace, l.Install)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, name := range logs {
		if slices.Contains(l.Shard.Names(l.Install), name) {
			continue
		}
		free, err := lease.GivenUp(ctx, l.Client, l.Client.Namespace, name)
		if err != nil {
			return nil, err
		}
		if free {
			out = append(out, name)
		}
	}
	return out, nil
}

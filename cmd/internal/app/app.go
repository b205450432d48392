package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/credentials"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/delivery"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/leadership"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/peers"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/policysource"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/recovery"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/reload"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/installation"
	"github.com/scanflow-k8s/scanflow/engine/journal"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/mlflow"
	"github.com/scanflow-k8s/scanflow/engine/policy"
	"github.com/scanflow-k8s/scanflow/sensors"
)

// App runs agents, with all that they need. Its methods are safe for concurrent use, but
// for Start and Stop.
type App struct {
	Policies     *policy.Store              // from New on
	Installation *installation.Installation // from New on
	Journal      *journal.Journal           // from Start on
	Local        *orchestrator.Orchestrator // from Start on; nil where there are no workloads

	opts    Options
	closers closers

	lead        *leadership.State
	agents      atomic.Pointer[[]*manifest.Agent] // those that run
	specs       atomic.Pointer[[]engine.Spec]     // of those agents
	credentials *credentials.Store
	tracker     *mlflow.Client // nil where there is none
	courier     *delivery.Courier
	claims      *peers.Claims
	lookbacks   *sensors.Lookbacks
	files       reload.Files
	source      *policysource.Opened
	swapped     chan struct{} // receives when other policies went live
	recovery    *recovery.Recovery
	lastGood    *reload.LastGood
	cluster     *cluster         // nil outside of Kubernetes
	reloader    *reload.Reloader // from Start on; nil on Kubernetes
	observers   []engine.Observer
}

// JournalDir is the folder of the journal in a data folder.
func JournalDir(data string) string { return filepath.Join(data, "journal") }

// New makes the parts that need neither the data folder nor a server. The App has to be
// stopped, started or not. The package documentation has the order.
func New(o Options) (_ *App, err error) {
	if o.Clock == nil {
		o.Clock = engine.WallClock{}
	}
	a := &App{
		opts: o, lead: &leadership.State{}, Installation: installation.New(), lookbacks: sensors.NewLookbacks(),
		files: reload.Files{Manifests: o.Manifests, Workloads: o.Workloads}, swapped: make(chan struct{}, 1),
		recovery: recovery.New(o.Judge, o.Data, o.Log),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Stop(context.Background()))
		}
	}()
	a.agents.Store(&[]*manifest.Agent{})
	a.specs.Store(&[]engine.Spec{})
	a.lastGood = reload.NewLastGood(o.Data, a.files, a.recovery.Judge() != nil, o.Log)
	if o.MLflow != "" {
		if a.tracker, err = mlflow.New(mlflow.Options{URL: o.MLflow, TLS: o.MLflowTLS}); err != nil {
			return nil, fmt.Errorf("--mlflow: %w", err)
		}
	}
	if o.Kubernetes != nil {
		if err := a.newCluster(); err != nil {
			return nil, err
		}
		a.credentials = credentials.NewStore(a.cluster.secrets.Read)
	} else {
		a.credentials = credentials.NewStore(nil)
	}
	a.newClients()
	a.newPolicies()
	if a.cluster != nil {
		a.newAcceptance()
	}
	return a, nil
}

// newClients makes the clients of peers, and of the addresses that agents send to.
func (a *App) newClients() {
	for _, at := range a.opts.Listens {
		a.Installation.AddListener(at)
	}
	toPeers := a.Installation.PeerTransport(peers.NewTransport(a.opts.Peers.TLS), func(err error) {
		a.opts.Log.Error("a peer is known until the next start only", "error", err)
	})
	a.courier = delivery.New(a.opts.Peers, a.credentials, toPeers, a.Installation.AgentTransport())
	a.closers.push(func(context.Context) error { a.courier.Close(); return nil })
	a.claims = peers.NewClaims(a.opts.Peers, toPeers, a.opts.Clock, a.opts.Log)
	a.closers.push(func(context.Context) error { a.claims.Close(); return nil })
}

// Start runs the agents; observers see what they do. It reports everything that is wrong
// with manifests, workloads and policies together. A Start that fails stops what it
// started. ctx bounds Start alone.
func (a *App) Start(ctx context.Context, observers ...engine.Observer) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Stop(ctx))
		}
	}()
	a.observers = observers
	if a.cluster != nil {
		return a.startKubernetes(ctx)
	}
	return a.startLocal(ctx)
}

// Reload reads policies, manifests and workloads again, though they are followed anyway.
// Invalid files are rejected with an error, and the earlier ones stay in use. The App must have
// been started.
func (a *App) Reload(ctx context.Context) error {
	// Policies that don't fit the manifests of before are tried again with the new ones.
	_ = a.Policies.Load(ctx)
	var err error
	if a.reloader != nil {
		err = a.reloader.Reload(ctx)
	}
	return errors.Join(err, a.Policies.Status().Err)
}

// Stop stops the agents, which finish or hand over their acts, and then everything else,
// in reverse order. No turn begins after it was called. Each part has a deadline of its
// own, so that ctx may have ended already. A second call does nothing.
func (a *App) Stop(ctx context.Context) error { return a.closers.close(context.WithoutCancel(ctx)) }

// openData opens the data folder: who this process is, what its peers hold, the journal,
// and how the last process on it ended.
func (a *App) openData(ctx context.Context) (err error) {
	if err := a.openInstallation(); err != nil {
		return err
	}
	a.claims.Start(ctx)
	a.Journal, err = journal.Open(ctx, JournalDir(a.opts.Data), journal.Options{
		Log: a.opts.Log.Named("journal"), Clock: a.opts.Clock, Tolerant: true, MaxAge: a.opts.JournalAge, MaxBytes: a.opts.JournalBytes,
	})
	if err != nil {
		return err
	}
	a.closers.push(func(context.Context) error {
		return Within(journalDeadline, "the journal; what was acknowledged is kept", a.Journal.Close)
	})
	if err := a.recovery.Begin(ctx, a.Journal, a.Policies.Live()); err != nil {
		return err
	}
	if a.cluster == nil { // on a cluster, the Ledgers have what a leader resumes
		a.logResumed(ctx)
	}
	a.closers.push(func(context.Context) error {
		a.recovery.End()
		select {
		case <-a.recovery.OnOverrun(): // the process restarts, from the copy if it must
		default:
			a.lastGood.Remove()
		}
		return nil
	})
	return nil
}

// apply runs these agents in place of those of before.
func (a *App) apply(agents []*manifest.Agent, specs []engine.Spec) {
	a.credentials.Set(agents)
	a.agents.Store(&agents)
	a.specs.Store(&specs)
	if manager := a.lead.Manager(); manager != nil {
		manager.Apply(specs)
	}
}

func (a *App) runningAgents() []*manifest.Agent { return *a.agents.Load() }

func (a *App) runningSpecs() []engine.Spec { return *a.specs.Load() }

// env returns what sensors and fleets are made with.
func (a *App) env() agentspec.Env {
	env := agentspec.Env{Prometheus: a.opts.Prometheus, MLflow: a.opts.MLflow, Lookbacks: a.lookbacks, Log: a.opts.Log}
	switch {
	case a.cluster != nil:
		env.Orchestrator, env.Owns, env.Secrets = a.cluster.view, a.cluster.Shard.Owns, a.cluster.secrets.Read
	case a.Local != nil:
		env.Orchestrator = a.Local
	}
	return env
}

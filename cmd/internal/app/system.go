package app

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/actuators"
	"github.com/scanflow-k8s/scanflow/actuators/local"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/installation"
	"github.com/scanflow-k8s/scanflow/engine/journal"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/mlflow"
	"github.com/scanflow-k8s/scanflow/engine/policy"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
	"github.com/scanflow-k8s/scanflow/sensors"
)

// Options are what a system is made of.
type Options struct {
	// Manifests are files and folders of agents.
	Manifests []string
	Policies  PolicySource
	// Judge are the arguments with which this program judges policies in a child process
	// (policy.ServeJudge); nil has this process judge them.
	Judge []string
	// Data is the folder of the journal and of the local orchestrator's records.
	Data string
	// Workloads are files and folders of Deployments for the local orchestrator;
	// none starts none.
	Workloads []string
	Local     local.Options // StateDir, Log and Clock are filled in
	// StopPods ends the local orchestrator's pods when the system is closed; else
	// they run on, to be adopted by the next start.
	StopPods   bool
	Prometheus string
	// MLflow is the base URL of the tracker; "" is none.
	MLflow string
	// MLflowTLS is how it is known; nil trusts the system's authorities.
	MLflowTLS *tls.Config
	Mail      MailOptions
	// Kubernetes takes agents, targets and memory from a cluster; nil doesn't.
	// Manifests and Workloads are not for it.
	Kubernetes *KubernetesOptions
	// Listens are the addresses that this process listens on, which its agents can't reach.
	Listens   []net.Addr
	Observers []engine.Observer
	Clock     engine.Clock
	Log       hclog.Logger
}

// System is a running engine with all that it needs.
type System struct {
	Journal  *journal.Journal
	Policies *policy.Store
	Local    *local.Orchestrator // nil where it runs no workloads

	host        atomic.Pointer[engine.Host] // nil while this process only stands by
	cluster     *cluster                    // nil outside of Kubernetes
	remotes     []*source.Remote            // of policies behind URLs
	opts        Options
	credentials credentials
	tracker     *mlflow.Client // nil where none is known
	courier     *courier
	neighbours  *neighbours
	lookbacks   *sensors.Lookbacks
	// Installation is this process' own: known from the end of Start on.
	Installation *installation.Installation
	forAgents    http.RoundTripper
	agents       atomic.Pointer[[]*manifest.Agent]
	reloads      reloads
	stop         context.CancelFunc
	watches      sync.WaitGroup

	policyJudge *policy.Judge // nil where this process judges
	quarantine  *policy.Quarantine
	unclean     bool         // the last process on the journal did not end in order
	goodMu      sync.Mutex   // guards the copy of what the process runs on
	asking      atomic.Int64 // numbers evaluations that take long
	overrunOnce sync.Once
	overrun     chan struct{} // closed when an evaluation can't be stopped
}

// JournalDir is where the journal lies in a data folder.
func JournalDir(data string) string { return filepath.Join(data, "journal") }

// Start reads everything, and runs. Whatever is wrong with manifests, workloads
// and policies is reported together, and then nothing is started.
func Start(ctx context.Context, o Options) (*System, error) {
	if o.Clock == nil {
		o.Clock = engine.WallClock{}
	}
	s := &System{opts: o, reloads: reloads{swapped: make(chan struct{}, 1)}, quarantine: policy.NewQuarantine(nil), overrun: make(chan struct{}), lookbacks: sensors.NewLookbacks(), Installation: installation.New()}
	if err := s.reachTracker(); err != nil {
		return nil, err
	}
	s.reachOthers()
	if o.Kubernetes != nil {
		if err := s.openInstallation(); err != nil {
			return nil, err
		}
		s.neighbours.start(ctx)
		if err := s.startKubernetes(ctx); err != nil {
			return nil, errors.Join(err, s.Close(ctx))
		}
		return s, nil
	}
	s.reloads.tried = contentOf(s.paths()) // before it is read: a change after that is one
	agents, agentsErr := manifest.Read(o.Manifests, Kinds())
	var workloads local.Workloads
	var workloadsErr error
	if len(o.Workloads) > 0 {
		workloads, workloadsErr = local.Read(o.Workloads...)
	}
	s.agents.Store(&agents)
	if err := errors.Join(agentsErr, workloadsErr, s.loadPolicies(ctx)); err != nil {
		if agents, workloads, err = s.goOn(ctx, err); err != nil {
			return nil, err
		}
	}
	if err := s.openInstallation(); err != nil {
		return nil, err
	}
	s.neighbours.start(ctx) // before any agent acts
	if err := s.start(ctx, agents, workloads); err != nil {
		return nil, errors.Join(err, s.Close(ctx))
	}
	if s.Reload().Err == nil && s.Policies.Status().Err == nil {
		s.keepGood()
	}
	return s, nil
}

// reachTracker makes the client of the tracker, which asks nothing yet.
func (s *System) reachTracker() error {
	if s.opts.MLflow == "" {
		return nil
	}
	client, err := mlflow.New(mlflow.Options{URL: s.opts.MLflow, TLS: s.opts.MLflowTLS})
	if err != nil {
		return fmt.Errorf("--mlflow: %w", err)
	}
	s.tracker = client
	return nil
}

func (s *System) start(ctx context.Context, agents []*manifest.Agent, workloads local.Workloads) error {
	o := &s.opts
	err := s.openJournal(ctx)
	if err != nil {
		return err
	}
	if err := s.takeOver(ctx); err != nil {
		return err
	}
	if len(o.Workloads) > 0 {
		options := o.Local
		options.StateDir, options.Log, options.Clock = localDir(o.Data), o.Log.Named("local"), o.Clock
		if s.Local, err = local.New(options); err != nil {
			return err
		}
	}
	specs, err := Specs(agents, s.surroundings())
	if err != nil {
		return err
	}
	if s.Local != nil { // only now: nothing is started that could not be used
		if err := s.Local.Apply(ctx, workloads); err != nil {
			return err
		}
	}
	s.host.Store(s.newHost(s.Journal, actuators.Env{Local: s.Local}, nil))
	s.apply(agents, specs)
	watchCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.watch(watchCtx)
	return nil
}

func (s *System) openJournal(ctx context.Context) error {
	var err error
	s.Journal, err = journal.Open(ctx, JournalDir(s.opts.Data), journal.Options{Log: s.opts.Log.Named("journal"), Clock: s.opts.Clock, Tolerant: true})
	return err
}

// newHost makes a host whose verbs act through env, filled in with what they share.
func (s *System) newHost(j engine.Journal, env actuators.Env, watcher engine.Watcher) *engine.Host {
	var h *engine.Host
	env.Credentials, env.Headers, env.Now, env.MLflow = s.credentials.authorization, s.credentials.headers, s.opts.Clock.Now, s.tracker
	env.Call = func(ctx context.Context, e engine.Event, c engine.Change, url string) error {
		return h.Call(ctx, e, c, url)
	}
	env.Publish = func(ctx context.Context, e engine.Event) error { return h.Publish(ctx, e) }
	env.Send = func(ctx context.Context, e engine.Event, to engine.Destination) error { return h.Send(ctx, e, to) }
	if env.Kubernetes != nil {
		env.Kubernetes.Publish = env.Publish
	}
	if env.Local != nil {
		env.Local.Publish = env.Publish
	}
	var rehearse func(context.Context, engine.Revision, []string, []json.RawMessage) error
	if s.unclean {
		rehearse = s.rehearse
	}
	var declared func(string) bool
	if s.cluster != nil {
		declared = s.cluster.isDeclared
	}
	h = engine.NewHost(engine.Config{
		Rehearse: rehearse, Declared: declared,
		Clock: s.opts.Clock, Grace: s.grace(), Journal: j, Policies: s.Policies, Observer: engine.Observers(s.opts.Observers), Log: s.opts.Log,
		Verbs: actuators.Offer(env), Watcher: watcher, Concurrency: s.concurrency(),
		Courier: s.courier, Peers: s.opts.Mail.endpoints(), Elsewhere: s.neighbours.all,
	})
	return h
}

// grace is how long acts may take to end when their agent is stopped.
func (s *System) grace() time.Duration {
	if s.cluster != nil {
		return clusterGrace
	}
	return agentsGrace
}

// apply runs these agents in place of those before.
func (s *System) apply(agents []*manifest.Agent, specs []engine.Spec) {
	s.credentials.set(agents)
	s.agents.Store(&agents)
	if h := s.host.Load(); h != nil {
		h.Apply(specs)
	}
}

// Agents says how each agent that runs here stands.
func (s *System) Agents() []engine.AgentStatus {
	if h := s.host.Load(); h != nil {
		return h.Agents()
	}
	return []engine.AgentStatus{}
}

// surroundings are what the agents of this system sense through.
func (s *System) surroundings() Surroundings {
	around := Surroundings{Prometheus: s.opts.Prometheus, MLflow: s.opts.MLflow, Lookbacks: s.lookbacks, Log: s.opts.Log}
	switch {
	case s.Local != nil:
		around.Orchestrator = s.Local
	case s.cluster != nil:
		around.Orchestrator, around.Takes = s.cluster.view, s.cluster.Shard.takes
		around.Secrets = s.cluster.readSecret
	}
	return around
}

// What each part is given to end; together they stay below the 15 s in which the
// process promises to be gone.
const (
	agentsGrace     = 6 * time.Second
	watchesDeadline = 2 * time.Second
	localDeadline   = 2 * time.Second
	journalDeadline = 2 * time.Second

	// In a cluster there is more to end: the ledger takes another journalDeadline, and
	// the lease as much. An act that is cut off there was a short request, whose
	// verification the next leader takes over.
	clusterGrace    = 4 * time.Second
	termDeadline    = 9 * time.Second
	clusterDeadline = 2 * time.Second
)

// Close stops the agents, which finish or hand over their acts, then everything
// else, in the reverse order of the start. No turn begins after it was called.
func (s *System) Close(ctx context.Context) error {
	var errs []error
	host := s.host.Load()
	if host != nil {
		host.Closing() // a reload that is under way starts nothing more
	}
	if s.stop != nil {
		s.stop()
		patience := watchesDeadline
		if s.cluster != nil {
			patience = termDeadline // the term ends in here
		}
		errs = append(errs, Within(patience, "what watches for changes", func() error { s.watches.Wait(); return nil }))
	}
	if host != nil {
		host.Close()
	}
	if s.cluster != nil {
		errs = append(errs, s.cluster.close(ctx))
	}
	if s.Local != nil {
		ending := local.Detach
		if s.opts.StopPods {
			ending = local.StopAll
		}
		localCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), localDeadline)
		errs = append(errs, s.Local.Close(localCtx, ending))
		cancel()
	}
	s.neighbours.close()
	s.courier.close()
	if s.Journal != nil {
		if s.policyJudge != nil {
			s.keep(keptLife, []byte(ended))
			s.forgetGood()
		}
		errs = append(errs, Within(journalDeadline, "the journal; what was acknowledged is kept", s.Journal.Close))
	}
	return errors.Join(errs...)
}

// Within waits for a call that takes no context, so far: a disk that is stuck, or a
// compiler, must not keep the process from ending.
func Within(d time.Duration, what string, call func() error) error {
	done := make(chan error, 1)
	go func() { done <- call() }()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case err := <-done:
		return err
	case <-t.C:
		return fmt.Errorf("did not end within %s: %s", d, what)
	}
}

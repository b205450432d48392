package app

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/acceptance"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/credentials"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/leadership"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/status"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/agentcr"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/clusterview"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/events"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/lease"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/ledger"
	"github.com/scanflow-k8s/scanflow/engine/loop"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/sensors"
)

// cluster holds the parts that serve a cluster. All but the leader work on a standby too,
// so that it can take over at once.
type cluster struct {
	KubernetesOptions
	secrets     *credentials.SecretReader
	view        *clusterview.View
	source      *agentcr.Source
	status      *status.Reporter
	acceptance  *acceptance.Controller
	secretHosts *credentials.HostChecker
	prober      *status.Prober
	recorder    *events.Recorder   // from Start on
	leader      *leadership.Leader // from Start on
}

// newCluster makes the parts that the policies and the clients need.
func (a *App) newCluster() error {
	o := a.opts
	k := *o.Kubernetes
	k.Install = cmp.Or(k.Install, "scanflow")
	k.Scope = lease.Scope{Namespace: k.Namespace, Agents: k.Agents, Shard: k.Shard.String(), ReplicaOf: k.ReplicaOf}
	c := &cluster{KubernetesOptions: k}
	c.secrets = credentials.NewSecretReader(apiclient.NewSecrets(k.Client, o.Clock, k.SecretHosts), o.Clock)
	c.view = clusterview.New(clusterview.Options{Client: k.Client, Namespace: k.Namespace, Shard: k.Shard.Owns, Clock: o.Clock, Log: o.Log.Named("kubernetes")})
	a.closers.push(func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, viewDeadline)
		defer cancel()
		return c.view.Close(ctx)
	})
	writer, err := k.Client.Fenced(a.lead.Fence) // only the leader writes statuses
	if err != nil {
		return err
	}
	c.source = agentcr.New(agentcr.Options{Client: writer, Namespace: k.Namespace, Selector: k.Agents, Kinds: agentspec.Kinds(), Clock: o.Clock, Log: o.Log.Named("agents"),
		Event: func(agent, kind, reason, message string) { c.recorder.OnAgent(agent, kind, reason, message) }})
	c.status = status.New(status.Options{
		Write: c.source.Report, Leading: func() bool { return a.lead.Leading() && k.Shard.Index == 0 }, May: k.Client.May, Clock: o.Clock,
	})
	a.cluster = c
	return nil
}

// newAcceptance makes what judges the agents of the cluster.
func (a *App) newAcceptance() {
	c := a.cluster
	c.secretHosts = credentials.NewHostChecker(credentials.HostCheckerOptions{
		Secrets: c.secrets, Servers: sensors.Env{Prometheus: a.opts.Prometheus, MLflow: a.opts.MLflow},
		Agents: a.runningAgents, Leading: a.lead.Leading, Report: c.status.Withheld, Clock: a.opts.Clock,
	})
	c.prober = status.NewProber(status.ProberOptions{
		Specs: a.runningSpecs, Leading: a.lead.Leading, Watched: c.view.WatchFault, Report: c.status.Probed, Clock: a.opts.Clock,
	})
	c.acceptance = acceptance.New(acceptance.Options{
		Source: c.source, Policies: a.Policies, Status: c.status, Env: a.env(), Log: a.opts.Log,
		Apply: func(agents []*manifest.Agent, specs []engine.Spec, horizon time.Duration) {
			a.lead.SetHorizon(horizon)
			a.apply(agents, specs)
			c.secretHosts.AgentsChanged()
			c.prober.AgentsChanged()
		},
	})
}

// startKubernetes serves the agents of a cluster:
//
//	always         policies followed; agents judged
//	in each term   ledger opened; manager with the accepted agents; statuses and events written
func (a *App) startKubernetes(ctx context.Context) error {
	c := a.cluster
	if err := a.loadPolicies(ctx); err != nil {
		if _, _, err = a.loadLastGood(ctx, err); err != nil {
			return err
		}
	}
	if err := a.openData(ctx); err != nil {
		return err
	}
	a.lastGood.Keep(a.Policies.Live())
	c.recorder = events.NewRecorder(events.Options{Client: c.Client, View: c.view, AgentUID: c.source.UID, Instance: c.Identity, Clock: a.opts.Clock, Log: a.opts.Log.Named("events")})
	a.observers = append(slices.Clip(a.observers), c.recorder, c.status)
	c.leader = leadership.New(leadership.Options{
		Replica: c.Replica, State: a.lead,
		Ready: c.acceptance.Judged(), Began: c.acceptance.JudgeAgain, History: a.Journal, Clock: a.opts.Clock, Log: a.opts.Log,
		NewManager: func(log *ledger.Ledger, client *apiclient.Client) *loop.Manager {
			c.status.TermBegins()
			return a.newManager(log, client)
		},
	})
	if err := c.leader.CheckScope(ctx); err != nil {
		return err
	}
	a.followAgents(ctx, c.recorder)
	a.background(ctx, termDeadline,
		func(ctx context.Context) { a.source.Follow(ctx, a.Policies) },
		func(ctx context.Context) {
			a.followPolicies(ctx, func(context.Context) { c.acceptance.JudgeAgain() })
		},
		c.acceptance.Run, c.secretHosts.Run, c.prober.Run, c.status.Run, c.leader.Run)
	return nil
}

// followAgents follows the resources. It ends after the leader's last term, and then
// writes what is left of statuses and events.
func (a *App) followAgents(ctx context.Context, recorder *events.Recorder) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() { defer close(ended); a.cluster.source.Run(ctx) }()
	a.closers.push(func(ctx context.Context) error {
		cancel()
		ctx, done := context.WithTimeout(ctx, reportsDeadline)
		defer done()
		select {
		case <-ended:
		case <-ctx.Done():
			return errors.Join(errors.New("the agents of the cluster are still followed"), recorder.Close(ctx))
		}
		err := a.cluster.source.Close(ctx)
		if errors.Is(err, apiclient.ErrDeposed) { // the next leader writes what is left
			err = nil
		}
		return errors.Join(err, recorder.Close(ctx))
	})
}

var _ engine.Watcher = (*clusterview.View)(nil)

package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/policysource"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
	"github.com/scanflow-k8s/scanflow/engine/server"
)

type runFlags struct {
	inputFlags
	logs       logFlags
	data       string
	retention  retentionFlags
	workloads  []string
	nodes      nodeFlags
	stopPods   bool
	prometheus string
	mlflow     string
	mlflowCA   string
	interval   time.Duration // between two requests for a policy bundle
	listen     string
	tokenFile  string
	peers      peerFlags
	cluster    clusterFlags
}

func newRun() *cobra.Command {
	var o runFlags
	c := &cobra.Command{
		Use:   "run -f DIR|FILE... | run --kubernetes",
		Short: "Run agents until told to stop",
		Long: `Runs the agents of the manifests given, and takes up changes of manifests,
workloads and policies while it runs. A change that is not right in every part is
refused as a whole, and what ran before runs on.

With --kubernetes, the agents are those of the cluster (kubectl get agents), and so
are their targets. Several replicas may run: one leads, the others stand by.

On SIGTERM it finishes the acts under way, or leaves them to the next start, and
ends within 15 s. Pods of the local orchestrator run on, and are adopted by the
next start, unless --stop-pods is given.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("%q is no flag; did you mean -f %s?", args[0], args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return runAgents(cmd.Context(), &o) },
	}
	o.inputFlags.add(c, "agent manifests: files, or folders of them")
	o.logs.add(c, "info")
	f := c.Flags()
	f.DurationVar(&o.interval, "policies-interval", source.DefaultEvery, "with a URL in --policies: time between two requests, give or take a tenth")
	f.StringVar(&o.data, "data", defaultData, "folder of the journal; made if it isn't there")
	o.retention.add(f)
	listFlag(f, &o.workloads, "workloads", "", "Deployments for the local orchestrator: files, or folders of them")
	o.nodes.add(f)
	f.BoolVar(&o.stopPods, "stop-pods", false, "stop the local orchestrator's pods at the end")
	f.StringVar(&o.prometheus, "prometheus", "", "base URL of the Prometheus server for sensors that name none")
	f.StringVar(&o.mlflow, "mlflow", "", "base URL of the MLflow tracking server for sensors that name none, and for model.promote, model.rollback and run.tag; absent: $MLFLOW_TRACKING_URI")
	f.StringVar(&o.mlflowCA, "mlflow-ca", "", "file of the authorities that sign its certificate, for the verbs; absent: the system's")
	f.StringVar(&o.listen, "listen", "127.0.0.1:8282", "address of health, metrics and API")
	f.StringVar(&o.tokenFile, "token-file", "", "file with the bearer token that opens the API; wanted beyond loopback. Read again when it changes. Absent, and without --senders and --kubernetes: a token is made in --data, for the commands of who runs it")
	o.peers.add(c)
	o.cluster.add(c)
	return c
}

func runAgents(ctx context.Context, o *runFlags) error {
	nodes, err := o.nodes.read(o.cluster.kubernetes)
	if err := errors.Join(o.cluster.check(o), err, o.peers.check()); err != nil {
		return err
	}
	log, err := o.logs.logger()
	if err != nil {
		return err
	}
	policies, err := o.policySource()
	if err != nil {
		return err
	}
	app.LimitMemory()
	journalBytes, err := o.retention.check()
	if err != nil {
		return err
	}
	token, err := o.apiToken(log.Named("http"))
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program's own file: %w", err)
	}
	o.mlflow = cmp.Or(o.mlflow, os.Getenv(mlflowVariable))
	if err := errors.Join(baseURL("--prometheus", o.prometheus, "http://127.0.0.1:9090"), baseURL("--mlflow", o.mlflow, "http://127.0.0.1:5000")); err != nil {
		return err
	}
	var mlflowTLS *tls.Config
	if o.mlflowCA != "" {
		pool, err := readCertPool("--mlflow-ca", o.mlflowCA)
		if err != nil {
			return err
		}
		mlflowTLS = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
	}
	peerOptions, err := o.peers.outbound(log.Named("http"))
	if err != nil {
		return err
	}
	senders, overTLS, err := o.peers.inbound(token, log.Named("http"))
	if err != nil {
		return err
	}
	inCluster, err := o.cluster.options()
	if err != nil {
		return err
	}
	libraryLog(log)
	listener, err := server.Listen(ctx, o.listen)
	if err != nil {
		return err
	}
	a, err := app.New(app.Options{
		Manifests: o.manifests, Policies: policies, Judge: judgeCommand, Data: o.data, JournalAge: o.retention.age, JournalBytes: journalBytes, Workloads: o.workloads,
		Local: orchestrator.Options{Self: self, Nodes: nodes}, StopPods: o.stopPods,
		Prometheus: o.prometheus, MLflow: o.mlflow, MLflowTLS: mlflowTLS, Peers: peerOptions, Listens: []net.Addr{listener.Addr()}, Kubernetes: inCluster, Log: log,
	})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	metrics := server.NewMetrics(metricSources(a, inCluster, log))
	if err := a.Start(ctx, metrics, newDecisionLog(log, o.logs.format == "text")); err != nil {
		if ctx.Err() != nil && errors.Is(err, context.Canceled) { // stopped while waiting for policies
			log.Info("stopped")
			return listener.Close()
		}
		return errors.Join(err, listener.Close())
	}
	userToken, err := o.userToken(log.Named("http"))
	if err != nil {
		return errors.Join(err, a.Stop(ctx), listener.Close())
	}
	registry := metrics.Registry()
	if a.Local != nil {
		registry.MustRegister(a.Local.Collector())
	}
	httpServer := server.Serve(listener, server.Options{
		Token: token, UserToken: userToken, User: server.UserName(), Installation: a.Installation, Refused: metrics.Refused,
		Registry: registry, Log: log.Named("http"), Ready: func() []string { return notReady(a) },
		API: readAPI(a), Answers: actionAPI(a), ForPeers: peerAPI(a), Receive: a.Receive, Senders: senders, TLS: overTLS,
	})
	fields := []any{"address", httpServer.Addr(), "policies", a.Policies.Status().Revision}
	if inCluster == nil { // on a cluster, each agent is logged when it is accepted
		fields = append(fields, "agents", len(a.Agents()))
	}
	log.Info("running", fields...)
	restart := false
	select {
	case <-ctx.Done():
	case <-a.OnOverrun():
		restart = true
	}
	log.Info("stopping")
	err = app.Within(stopTimeout, "everything; what was acknowledged is kept, and what is open is settled by the next start", func() error {
		err := a.Stop(ctx)
		webCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		return errors.Join(err, httpServer.Close(webCtx))
	})
	if restart && ctx.Err() == nil {
		return errors.Join(err, reexec(log))
	}
	log.Info("stopped")
	return err
}

// stopTimeout bounds the stop of all parts together. The process has to end within 15 s.
const stopTimeout = 14 * time.Second

// reexec replaces this process by a new one of the same program, with the same arguments
// and process id. The new one recovers pods and open acts as after a crash.
func reexec(log hclog.Logger) error {
	log.Warn("beginning anew")
	self := "/proc/self/exe" // the running program, even if its file was replaced
	if _, err := os.Stat(self); err != nil {
		if self, err = os.Executable(); err != nil {
			return fmt.Errorf("begin anew: find this program's own file: %w", err)
		}
	}
	return fmt.Errorf("begin anew: %w", syscall.Exec(self, os.Args, os.Environ()))
}

// mlflowVariable is the environment variable from which MLflow's clients read the address
// of the tracking server.
const mlflowVariable = "MLFLOW_TRACKING_URI"

func baseURL(flag, value, example string) error {
	if value == "" {
		return nil
	}
	if u, err := url.Parse(value); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return fmt.Errorf("%s: wants a base URL like %s, without a user", flag, example)
	}
	return nil
}

// policySource returns the sources of the policies and the interval at which URLs are polled.
func (o *runFlags) policySource() (policysource.Source, error) {
	if o.interval < time.Second {
		return policysource.Source{}, fmt.Errorf("--policies-interval: %s is less than 1s", o.interval)
	}
	from, err := o.source()
	from.Every = o.interval
	return from, err
}

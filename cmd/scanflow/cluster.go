package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/klog/v2"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/leadership"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/shard"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// clusterFlags are the flags of a process that runs the agents of a cluster.
type clusterFlags struct {
	kubernetes    bool
	kubeconfig    string
	namespace     string
	agents        string
	install       string
	replicaOf     string
	shard         string
	shardBy       string
	elect         bool
	leaseDuration time.Duration
	secretHosts   secretHostsFlag
	part          shard.Shard // parsed from shard and shardBy by check
}

func (o *clusterFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.BoolVar(&o.kubernetes, "kubernetes", false, "serve the Agent resources of a Kubernetes cluster, instead of manifests given by -f")
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "how to reach the cluster; if absent, $KUBECONFIG, the pod's service account, or ~/.kube/config")
	f.StringVar(&o.namespace, "namespace", "", "the only namespace to look into; if absent, every namespace")
	f.StringVar(&o.agents, "agents", "", "which agents to run, by a label selector like scanflow.dev/part=planner; if absent, all. Processes that share agents out want an --install of their own each, and know each other by --peer")
	f.StringVar(&o.install, "install", "scanflow", "name of this installation: of its Lease and its ledgers, which all its replicas share")
	f.StringVar(&o.replicaOf, "replica-of", "", "name of the workload whose pods run this process, such as Deployment/scanflow: while it is rolled out, its new pods may differ from the old ones in --namespace, --agents and --shard, and wait for the one that leads. Any other process that differs in these wants an --install of its own")
	f.StringVar(&o.shard, "shard", "", "this process' part of the targets, as I/N; each part elects a leader of its own")
	f.StringVar(&o.shardBy, "shard-by", "namespace", "what keeps targets in one part: namespace, name, or label=KEY")
	f.BoolVar(&o.elect, "leader-elect", true, "act only while holding the installation's Lease")
	f.DurationVar(&o.leaseDuration, "lease-duration", 15*time.Second, "how long after its last sign of life a leader is replaced; whole seconds")
	o.secretHosts.add(c)
}

// check refuses flags that don't go together.
func (o *clusterFlags) check(run *runFlags) error {
	if !o.kubernetes {
		if len(run.manifests) == 0 {
			return errNoManifests
		}
		if o.replicaOf != "" {
			return errors.New("--replica-of: goes with --kubernetes: without it there is no Lease")
		}
		if len(o.secretHosts.hosts) > 0 {
			return fmt.Errorf("%s: goes with --kubernetes: without it no Secret is read", apiclient.HostsFlag)
		}
		return nil
	}
	var errs []error
	if len(run.manifests) > 0 {
		errs = append(errs, errors.New("-f: with --kubernetes the agents are resources of the cluster; create them with kubectl apply -f"))
	}
	if len(run.workloads) > 0 {
		errs = append(errs, errors.New("--workloads: with --kubernetes the cluster runs the workloads"))
	}
	if o.leaseDuration < time.Second {
		errs = append(errs, fmt.Errorf("--lease-duration: %s is less than 1s", o.leaseDuration))
	}
	selector, err := labels.Parse(o.agents)
	if err != nil {
		errs = append(errs, fmt.Errorf("--agents: %w", err))
	} else {
		o.agents = selector.String() // so that two that select the same are equal
	}
	if o.replicaOf != "" && !o.elect {
		errs = append(errs, errors.New("--replica-of: has no effect with --leader-elect=false"))
	}
	o.part, err = shard.Parse(o.shard, o.shardBy)
	return errors.Join(append(errs, err)...)
}

// options creates the client of the cluster; it returns nil without --kubernetes.
func (o *clusterFlags) options() (*app.KubernetesOptions, error) {
	if !o.kubernetes {
		return nil, nil
	}
	secretHosts, err := o.secretHosts.list()
	if err != nil {
		return nil, err
	}
	client, err := apiclient.New(apiclient.Options{Kubeconfig: o.kubeconfig, UserAgent: "scanflow/" + version(), Concurrency: 250})
	if err != nil {
		return nil, err
	}
	identity, err := os.Hostname() // the pod's name
	if err != nil {
		return nil, fmt.Errorf("find this machine's name: %w", err)
	}
	return &app.KubernetesOptions{
		Replica:   leadership.Replica{Client: client, Install: o.install, Identity: identity, Shard: o.part, Elect: o.elect, LeaseDuration: o.leaseDuration},
		Namespace: o.namespace, Agents: o.agents, ReplicaOf: o.replicaOf, SecretHosts: secretHosts,
	}, nil
}

// libraryLog redirects client-go's own log to ours at level debug: it writes many lines
// while the API server is unreachable. The callers of client-go log its errors.
func libraryLog(log hclog.Logger) {
	to := log.Named("client-go").StandardWriter(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug})
	klog.SetSlogLogger(slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) { // the log has its own
			return slog.Attr{}
		}
		return a
	}})))
}

package app

import (
	"crypto/tls"
	"net"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/leadership"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/peers"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/policysource"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/hosts"
)

// Options configure an App.
type Options struct {
	// Manifests are files and folders of agents.
	Manifests []string
	Policies  policysource.Source
	// Judge are the arguments with which this program judges policies in a child process
	// (policy.ServeJudge); nil has this process judge them.
	Judge []string
	// Data is the folder of the journal and of the local orchestrator's records.
	Data string
	// JournalAge and JournalBytes bound what the journal keeps of the past; 0 is the default of
	// journal.Options.
	JournalAge   time.Duration
	JournalBytes int64
	// Workloads are files and folders of Deployments for the local orchestrator. Without
	// any, there is no local orchestrator.
	Workloads []string
	Local     orchestrator.Options // StateDir, Log and Clock are filled in
	// StopPods has Stop end the pods of the local orchestrator. Otherwise they keep
	// running, and the next start adopts them.
	StopPods   bool
	Prometheus string
	// MLflow is the base URL of the tracker; "" is none.
	MLflow string
	// MLflowTLS verifies the tracker; nil trusts the system's authorities.
	MLflowTLS *tls.Config
	Peers     peers.Options
	// Kubernetes takes agents, targets and memory from a cluster; nil takes none.
	// Manifests and Workloads are not used then.
	Kubernetes *KubernetesOptions
	// Listens are the addresses that this process listens on. Its agents can't reach them.
	Listens []net.Addr
	Clock   engine.Clock // nil is the machine's
	Log     hclog.Logger
}

// KubernetesOptions configure a process that runs the agents of a cluster.
type KubernetesOptions struct {
	leadership.Replica
	// Namespace restricts agents and objects to one namespace; "" is all.
	Namespace string
	// Agents is a label selector of the agents that this process runs; "" is all.
	Agents string
	// ReplicaOf names the workload whose pods run this process; "" is none. While that is rolled
	// out, pods with another Namespace, Agents or Shard wait for the one that leads.
	ReplicaOf string
	// SecretHosts are the hosts that every Secret may be sent to. The annotation of a
	// Secret may name more for it.
	SecretHosts hosts.List
}

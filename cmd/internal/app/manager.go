package app

import (
	"github.com/scanflow-k8s/scanflow/actuators"
	"github.com/scanflow-k8s/scanflow/actuators/kubernetes"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/loop"
	"github.com/scanflow-k8s/scanflow/engine/queue"
)

// clusterConcurrency bounds the acts under way of one agent on a cluster. Each is one
// short request, so that more of them hide its latency; the API server limits them by its
// own priority and fairness.
const clusterConcurrency = 200

// newManager returns a manager that runs no agents yet. It writes to a journal, and on a
// cluster acts through a client, which is nil elsewhere.
func (a *App) newManager(j engine.Journal, client *apiclient.Client) *loop.Manager {
	env := actuators.Env{
		Credentials: a.credentials.Authorization, Headers: a.credentials.Headers, Now: a.opts.Clock.Now, MLflow: a.tracker, Local: a.Local,
	}
	config := loop.Config{
		Rehearse: a.recovery.Rehearsal(), Clock: a.opts.Clock, Grace: agentsGrace, Journal: j, Policies: a.Policies,
		Observer: engine.Observers(a.observers), Log: a.opts.Log,
		Deliverer: a.courier, Peers: a.opts.Peers.Endpoints(), RemoteClaims: a.claims.ByTarget,
	}
	if client != nil {
		config.Watcher, config.Declared = a.cluster.view, a.cluster.acceptance.Declared
		config.Overlaps = a.cluster.status.Overlaps
		config.Concurrency, config.Grace = clusterConcurrency, clusterGrace
	}
	config.Verbs = func(r *queue.Router) map[string]engine.Verb {
		env.Call, env.Publish, env.Send = r.Call, r.Publish, r.Send
		if client != nil {
			env.Kubernetes = &kubernetes.Cluster{Client: client, View: a.cluster.view, Clock: a.opts.Clock, Publish: r.Publish}
		}
		return actuators.Offer(env)
	}
	return loop.New(config)
}

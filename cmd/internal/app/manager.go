package app

import (
	"context"

	"github.com/scanflow-k8s/scanflow/actuators"
	"github.com/scanflow-k8s/scanflow/actuators/kubernetes"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// clusterConcurrency bounds the acts under way of one agent on a cluster. Each is one
// short request, so that more of them hide its latency; the API server limits them by its
// own priority and fairness.
const clusterConcurrency = 200

// newManager makes a manager that runs no agents yet. It writes to a journal, and on a
// cluster acts through a client, which is nil elsewhere.
func (a *App) newManager(j engine.Journal, client *apiclient.Client) *engine.Host {
	events := &eventBus{}
	env := actuators.Env{
		Credentials: a.credentials.Authorization, Headers: a.credentials.Headers, Now: a.opts.Clock.Now, MLflow: a.tracker,
		Local: a.Local, Call: events.call, Publish: events.publish, Send: events.send,
	}
	config := engine.Config{
		Rehearse: a.recovery.Rehearsal(), Clock: a.opts.Clock, Grace: agentsGrace, Journal: j, Policies: a.Policies,
		Observer: engine.Observers(a.observers), Log: a.opts.Log,
		Courier: a.courier, Peers: a.opts.Peers.Endpoints(), Elsewhere: a.claims.ByTarget,
	}
	if client != nil {
		env.Kubernetes = &kubernetes.Cluster{Client: client, View: a.cluster.view, Clock: a.opts.Clock, Publish: events.publish}
		config.Watcher, config.Declared = a.cluster.view, a.cluster.acceptance.Declared
		config.Concurrency, config.Grace = clusterConcurrency, clusterGrace
	}
	if a.Local != nil {
		a.Local.Publish = events.publish // it has no option for that
	}
	config.Verbs = actuators.Offer(env)
	events.manager = engine.NewHost(config)
	return events.manager
}

// eventBus passes what acts send to the manager that carries them out. The manager needs
// its verbs to be made, and the verbs need the manager, so the bus is made before both.
// No act runs before newManager returns.
type eventBus struct{ manager *engine.Host }

func (b *eventBus) publish(ctx context.Context, e engine.Event) error {
	return b.manager.Publish(ctx, e)
}

func (b *eventBus) send(ctx context.Context, e engine.Event, to engine.Destination) error {
	return b.manager.Send(ctx, e, to)
}

func (b *eventBus) call(ctx context.Context, e engine.Event, c engine.Change, url string) error {
	return b.manager.Call(ctx, e, c, url)
}

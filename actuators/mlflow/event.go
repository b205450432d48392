package mlflow

import (
	"context"
	"fmt"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/queue"
)

// The types of the events that are published when another version is in production.
const (
	ModelPromoted   = "dev.scanflow.model.promoted"
	ModelRolledBack = "dev.scanflow.model.rolledback"
)

// event returns the event of a move. Its id is the same each time, so that receivers drop
// duplicates.
func (p *plan) event(identity, what, kind string, r *Registry) engine.Event {
	return engine.Event{
		ID: identity + "-" + what, Source: "/models/" + p.Model, Type: kind, Subject: p.Target.String(), Time: r.Now(),
		Data: map[string]any{"model": p.Model, "version": p.To, "previous": p.From, "by": p.Agent, "reason": p.Reason},
		Hops: p.Hops, Sender: p.Agent,
	}
}

// publish publishes the event of an act whose writes are done, and returns the outcome. The
// act stays running while the event can't be published, so that it is verified again.
func (r *Registry) publish(ctx context.Context, p *plan, e engine.Event) engine.Outcome {
	out := engine.Outcome{Status: engine.Done, Detail: p.String()}
	if r.Publish == nil {
		return out
	}
	err := r.Publish(ctx, e)
	switch {
	case engine.IsRetryable(err):
		return engine.Outcome{Status: engine.Running, Detail: fmt.Sprintf("%s, and nobody could be told yet: %v", p, err)}
	case err != nil && !queue.IsUnwanted(err):
		out.Detail += "; " + err.Error()
	}
	return out
}

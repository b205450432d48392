package mlflow

import (
	"context"
	"fmt"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/queue"
)

// The types of the events by which agents learn that another version is in production.
const (
	ModelPromoted   = "dev.scanflow.model.promoted"
	ModelRolledBack = "dev.scanflow.model.rolledback"
)

// event tells of a move. Its id is the same however often it is sent.
func (p *plan) event(identity, what, kind string, r *Registry) engine.Event {
	return engine.Event{
		ID: identity + "-" + what, Source: "/models/" + p.Model, Type: kind, Subject: p.Target.String(), Time: r.Now(),
		Data: map[string]any{"model": p.Model, "version": p.To, "previous": p.From, "by": p.Agent, "reason": p.Reason},
		Hops: p.Hops, Sender: p.Agent,
	}
}

// tell publishes the event of an act that is done. Only then is the act at its end:
// one whose event could not be kept is verified again.
func (r *Registry) tell(ctx context.Context, p *plan, e engine.Event) engine.Outcome {
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

package approval

import (
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Notice returns the event that a new approval is requested. Its Hops may exceed MaxHops:
// then agents trigger each other in a circle, and the notice is not sent.
func Notice(p *engine.Approval) engine.Event {
	e := engine.Event{
		ID: "approval-" + p.ID, Source: engine.AgentSource + p.Agent, Type: engine.ApprovalRequested, Subject: p.Target.String(), Time: p.Asked, Sender: p.Agent,
		Data: map[string]any{
			"id": p.ID, "agent": p.Agent, "target": p.Target.String(), "strategy": p.Strategy, "primitive": p.Primitive, "with": p.With,
			"reason": p.Reason, "diff": p.Diff, "expires": p.Expires.UTC().Format(time.RFC3339),
		},
	}
	if by := p.Trigger.Event; by != nil {
		e.Hops = by.Hops + 1
	}
	return e
}

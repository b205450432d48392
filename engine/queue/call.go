package queue

import (
	"fmt"
	"hash/fnv"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// streamsPerAgent is the number of requests of one agent to one address that may be in
// progress: those for a target are in order.
const streamsPerAgent = 8

// NewCall returns the request of an act as an event for the outbox.
func NewCall(c engine.Change, body any, at time.Time) engine.Event {
	target := c.Target.ID()
	stream := fnv.New32a()
	_, _ = fmt.Fprintf(stream, "%q %q %q", target.Kind, target.Namespace, target.Name)
	var call engine.Call
	if c.Terms != nil {
		call = c.Terms.Call
	}
	return engine.Event{
		ID: c.Identity, Source: fmt.Sprintf("%s%s/%s-%d", engine.AgentSource, c.Agent, engine.CallType, stream.Sum32()%streamsPerAgent), Type: engine.CallType,
		Subject: target.String(), Time: at, Data: body, Sender: c.Agent, Call: &call,
	}
}

package loop

import (
	"context"
	"encoding/json"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/queue"
)

// Config has what the agents of a process share.
type Config struct {
	Clock    engine.Clock
	Journal  engine.Journal
	Policies engine.Policies
	// Verbs returns the verbs that this process offers. They may send events and requests
	// through the router.
	Verbs func(*queue.Router) map[string]engine.Verb
	// Watcher serves the watch triggers; nil where nothing can watch objects.
	Watcher engine.Watcher
	// Deliverer sends events to endpoints elsewhere; nil where nothing can.
	Deliverer engine.Deliverer
	// Peers are the endpoints of other processes whose agents get this one's events too.
	Peers []string
	// RemoteClaims returns the claims of agents in other processes, as last received, by
	// target. It must not block, and nobody changes the result. Nil where no process sends any.
	RemoteClaims func() map[engine.TargetID][]engine.HeldClaim
	// Declared reports whether an agent exists although it does not run, such as one whose
	// spec is wrong; nil where every agent runs.
	Declared func(agent string) bool
	// Overlaps receives which other agents of the same priority write a field of an agent's
	// targets too, whenever that changed; none where that ended. It must not block. Nil where
	// nobody wants it.
	Overlaps func(agent string, texts []string)
	// Rehearse runs an agent's strategies on its documents, as JSON, in a place where a crash
	// does no harm, before the agent runs them: after the process ended abnormally. Nil runs
	// them at once.
	Rehearse func(ctx context.Context, rev engine.Revision, strategies []string, documents []json.RawMessage) error
	Observer engine.Observer
	Log      hclog.Logger
	// Seed is for the jitter of intervals, the only random numbers of the engine.
	Seed uint64
	// Concurrency bounds the calls of actuators in progress for one agent; 0 means 16.
	Concurrency int
	// Grace is how long acts in progress may take to end when their agent is stopped; 0 means
	// 10 s. What has not ended by then stays an open intent.
	Grace time.Duration
}

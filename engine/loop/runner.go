package loop

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/claim"
	"github.com/scanflow-k8s/scanflow/engine/turn"
)

// runner carries out the acts of one agent. They wait in a queue, in the order in which they
// were admitted:
//
//	queued -> started (takes a slot) -> ended
//	              \-> waiting, for a retry or for Verify (takes no slot) -> ended
//
// One goroutine empties the queue, and ends when it is empty. An act has a goroutine of its
// own from its start on. So an agent has as many goroutines as slots, and one for each act
// that waits for the world.
type runner struct {
	agent      *turn.Agent
	m          *Manager
	store      engine.IntentStore
	log        hclog.Logger
	deliveries *deliveries

	ctx   context.Context // ends when the acts are cut off
	calls chan struct{}   // bounds the calls of adapters in progress
	slots chan struct{}   // bounds the started acts that do not wait
	work  sync.WaitGroup
	// inProgress counts the goroutines of acts.
	inProgress atomic.Int32

	mu          sync.Mutex
	queue       []engine.Intent
	emptying    bool // a goroutine empties the queue
	unconcluded []engine.Conclusion
}

// slotsPerCall is the number of acts that may be started for each call of an adapter that
// may be in progress: while some are in a call, others write their outcome.
const slotsPerCall = 2

func newRunner(a *agent) *runner {
	return &runner{
		agent: a.Agent, m: a.m, store: a.m.Journal, log: a.log, deliveries: &deliveries{by: map[string]*delivery{}},
		calls: make(chan struct{}, a.m.Concurrency), slots: make(chan struct{}, slotsPerCall*a.m.Concurrency),
	}
}

// start starts acts whose intents are in the journal, and does not wait for them: a slow
// one holds its claim, and nothing else.
func (r *runner) start(intents []engine.Intent) {
	for i := range intents {
		r.replaceOlder(&intents[i])
		r.agent.Begin(&intents[i])
	}
	r.enqueue(intents...)
}

// enqueue has acts begin in their turn.
func (r *runner) enqueue(acts ...engine.Intent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queue = append(r.queue, acts...)
	if !r.emptying && len(r.queue) > 0 {
		r.emptying = true
		r.spawn(r.empty)
	}
}

// dequeue returns the next act, false once there is none.
func (r *runner) dequeue() (engine.Intent, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) == 0 {
		r.queue, r.emptying = nil, false
		return engine.Intent{}, false
	}
	in := r.queue[0]
	r.queue[0] = engine.Intent{} // what it refers to is not kept as long as the queue
	r.queue = r.queue[1:]
	return in, true
}

// spawn runs a goroutine that the runner owns.
func (r *runner) spawn(do func()) {
	r.inProgress.Add(1)
	r.work.Go(func() {
		defer r.inProgress.Add(-1)
		do()
	})
}

// empty starts the acts of the queue, each when it gets a slot. Those left at a shutdown are
// for the next start, which recovers their intents.
func (r *runner) empty() {
	for in, any := r.dequeue(); any; in, any = r.dequeue() {
		select {
		case r.slots <- struct{}{}:
		case <-r.ctx.Done():
			r.leaveOpen(&in)
			continue
		}
		r.spawn(func() {
			free := sync.OnceFunc(func() { <-r.slots })
			defer free()
			if !in.DryRun && !r.enter(r.ctx) {
				r.leaveOpen(&in)
				return
			}
			r.carryOut(&in, func(ctx context.Context, actuator engine.Actuator) engine.Outcome {
				return r.apply(ctx, actuator, &in, free)
			})
		})
	}
}

// enter waits until one more call of an adapter may be in progress. Between its calls an act
// takes up none. It reports whether the context did not end first.
func (r *runner) enter(ctx context.Context) bool {
	select {
	case r.calls <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (r *runner) leave() { <-r.calls }

// follow follows an act that an earlier process applied, to its end.
func (r *runner) follow(in engine.Intent) {
	r.log.Info("following an act found under way", "target", in.Target.ID(), "verb", in.Primitive, "identity", in.Identity)
	r.spawn(func() {
		r.carryOut(&in, func(ctx context.Context, actuator engine.Actuator) engine.Outcome {
			return r.verify(ctx, actuator, &in, engine.Outcome{Status: engine.Running, Detail: "found under way after a restart"}, &stall{r: r, in: &in})
		})
	})
}

// carryOut applies or follows an act (do), and writes its outcome. If a shutdown cuts it off,
// it writes no outcome: the next start recovers the open intent.
func (r *runner) carryOut(in *engine.Intent, do func(context.Context, engine.Actuator) engine.Outcome) {
	verb := r.m.verbs[in.Primitive]
	ctx, cancel := context.WithTimeout(r.ctx, verb.ActDeadline())
	defer cancel()
	out := engine.Outcome{Status: engine.Done, Detail: "dry run"}
	if verb.Delivered && !in.DryRun {
		if r.endIfDelivered(in.Identity, in) { // while this agent did not run
			return
		}
		r.deliveries.add(in)
	}
	if !in.DryRun { // the only place where anything is applied
		out = do(ctx, verb.Actuator)
	}
	if verb.Delivered && out.Status == engine.Running { // the outbox has it, and may have delivered it already
		r.endIfDelivered(in.Identity, nil)
		return
	}
	r.deliveries.remove(in.Identity)
	if r.ctx.Err() != nil && out.Status != engine.Done {
		r.log.Warn("act cut off by shutdown, to be settled by the next start", "target", in.Target.ID(), "verb", in.Primitive, "identity", in.Identity)
		r.leaveOpen(in)
		return
	}
	r.conclude(in, out, r.m.Clock.Now())
}

const (
	// concludeDeadline bounds the writing of an outcome, after the act's own deadline;
	// concludeHurry does while the agent is being stopped.
	concludeDeadline = 10 * time.Second
	concludeHurry    = time.Second
)

// conclude writes an outcome, and ends the act.
func (r *runner) conclude(in *engine.Intent, out engine.Outcome, at time.Time) {
	timeout := concludeDeadline
	if r.ctx.Err() != nil {
		timeout = concludeHurry
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), timeout)
	defer cancel()
	out.Detail = engine.Clip(out.Detail)
	done := engine.Conclusion{Identity: in.Identity, Outcome: out, At: at}
	if err := r.store.Conclude(ctx, done); err != nil {
		// It is tried again. Until then the intent is open, and a start would recover it.
		r.log.Error("outcome not written", "target", in.Target.ID(), "verb", in.Primitive, "outcome", out.Status, "error", err)
		r.mu.Lock()
		r.unconcluded = append(r.unconcluded, done)
		r.mu.Unlock()
	}
	r.end(in, out, at)
}

// end ends an act, and passes its outcome to the observers.
func (r *runner) end(in *engine.Intent, out engine.Outcome, at time.Time) {
	r.agent.End(in, out, at, r.m.Clock.Now())
	r.m.Observer.Acted(engine.Act{Intent: *in, Outcome: out, EndedAt: at})
}

// leaveOpen leaves an act, and its claim, to the agent's next start. An agent that was
// removed has none, and gives the claim up.
func (r *runner) leaveOpen(in *engine.Intent) {
	if r.m.wants(in.Agent) {
		r.agent.Claims.Orphan(in)
		return
	}
	now := r.m.Clock.Now()
	r.agent.Claims.Release(in, claim.End{At: now}, now)
}

// concludeLate writes the outcomes that the journal could not store before. One that it
// can't store for giveUpAfter is left to the next start.
func (r *runner) concludeLate(ctx context.Context) {
	r.mu.Lock()
	late := r.unconcluded
	r.unconcluded = nil
	r.mu.Unlock()
	var left []engine.Conclusion
	for _, c := range late {
		if err := r.store.Conclude(ctx, c); err == nil {
			continue
		} else if r.m.Clock.Now().Sub(c.At) > giveUpAfter {
			r.log.Error("outcome given up", "identity", c.Identity, "outcome", c.Outcome.Status, "error", err)
			continue
		}
		left = append(left, c)
	}
	r.mu.Lock()
	r.unconcluded = append(left, r.unconcluded...)
	r.mu.Unlock()
}

func (r *runner) anyUnconcluded() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.unconcluded) > 0
}

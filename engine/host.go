package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Config is what the agents of a process share.
type Config struct {
	Clock    Clock
	Journal  Journal
	Policies Policies
	Verbs    map[string]Verb
	// Watcher serves the watch triggers; nil where nothing can watch objects.
	Watcher Watcher
	// Courier delivers events to endpoints elsewhere; nil where nothing can.
	Courier Courier
	// Peers are the endpoints of other processes whose agents get this one's events too.
	Peers []string
	// Elsewhere returns what agents of other processes hold, as last heard, by target. It
	// must not wait, and nobody changes what it returned. Nil where nobody tells.
	Elsewhere func() map[TargetID][]HeldClaim
	// Declared reports whether an agent is there though it does not run, as one whose spec
	// is wrong; nil where every agent runs.
	Declared func(agent string) bool
	// Rehearse has an agent's strategies asked about its documents, as JSON, where that can
	// do no harm, before the agent asks them: after an end of the process that was not in
	// order. Nil has them asked at once.
	Rehearse func(ctx context.Context, rev Revision, strategies []string, documents []json.RawMessage) error
	Observer Observer
	Log      hclog.Logger
	// Seed is for the jitter of intervals, the only chance in the engine.
	Seed uint64
	// Concurrency bounds the acts under way of one agent; 0 is 16.
	Concurrency int
	// Grace is how long acts under way may take to end when their agent is stopped;
	// 0 is 10 s. What has not ended by then stays an open intent.
	Grace time.Duration
}

// Host runs the agents of one process. They share what its Config holds and the
// claims, and nothing else.
type Host struct {
	Config
	claims *claims
	// applying lets one Apply through at a time; mu guards what is below, alone, so
	// that an act of an agent being stopped can still publish.
	applying sync.Mutex
	mu       sync.Mutex
	agents   map[string]*running
	// takers are the triggers that events fire, by agent, as last applied: an agent that
	// is being restarted misses no event.
	takers map[string][]Trigger
	outbox *outbox
	// calls are the ends of acts that no agent was there to be told, by identity.
	calls map[string]Conclusion
	// wanted are the names of the agents as last applied.
	wanted atomic.Pointer[map[string]bool]
	// lapsing says that the questions of agents that are gone are tried to lapse again and
	// again. The lock applying guards it.
	lapsing bool

	closing sync.Once
	closed  chan struct{} // nothing is started any more
	cut     chan struct{} // what has not ended by itself is cut off
	ended   chan struct{} // nothing is left to cut off
	cutting sync.WaitGroup
}

type running struct {
	agent *agent
	halt  func() // no further turn begins
	stop  func() // ends the loop, then the acts; returns when both have ended
}

// NewHost fills in the defaults. Nothing runs before Apply.
func NewHost(c Config) *Host {
	c.Concurrency = cmp.Or(c.Concurrency, 16)
	c.Grace = cmp.Or(c.Grace, 10*time.Second)
	if c.Clock == nil {
		c.Clock = WallClock{}
	}
	if c.Log == nil {
		c.Log = hclog.NewNullLogger()
	}
	if c.Observer == nil {
		c.Observer = Observers(nil)
	}
	h := &Host{Config: c, claims: newClaims(), agents: map[string]*running{}, calls: map[string]Conclusion{}, closed: make(chan struct{}), cut: make(chan struct{}), ended: make(chan struct{})}
	h.outbox = newOutbox(h)
	h.wanted.Store(&map[string]bool{})
	return h
}

// rememberWithin bounds the reading of the agents' memories before they start. One
// that can't be read by then is read later, by the agent itself.
const rememberWithin = 5 * time.Second

// Apply makes the running agents those of the list: it stops the ones that are
// gone, starts the new ones, and restarts those whose generation changed. It
// returns when what had to stop has stopped. All new agents know what they hold
// before any of them starts. A host that is being closed starts nothing.
func (h *Host) Apply(specs []Spec) {
	h.applying.Lock()
	defer h.applying.Unlock()
	wanted := map[string]Spec{}
	names := map[string]bool{}
	takers := map[string][]Trigger{}
	for _, s := range specs {
		wanted[s.String()], names[s.String()] = s, true
		for _, t := range s.Triggers {
			if t.events() != nil {
				takers[s.String()] = append(takers[s.String()], t)
			}
		}
	}
	h.wanted.Store(&names)
	h.mu.Lock()
	h.takers = takers
	h.mu.Unlock()
	h.outbox.start()
	h.stop(wanted)
	h.claims.forsake(wanted)
	h.lapseOrphans()

	var fresh []*agent
	ctx, cancel := context.WithTimeout(context.Background(), rememberWithin)
	defer cancel()
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		h.mu.Lock()
		_, runs := h.agents[name]
		h.mu.Unlock()
		if runs {
			continue
		}
		a := newAgent(h, wanted[name])
		if err := a.remember(ctx); err != nil {
			a.log.Error("the journal can't be read: nothing is done until it can", "error", err)
		}
		fresh = append(fresh, a)
	}
	for _, a := range fresh {
		select {
		case <-h.closed:
			return
		default:
		}
		h.start(a)
	}
}

// stop ends the agents that are not wanted as they are.
func (h *Host) stop(wanted map[string]Spec) {
	var stopping sync.WaitGroup
	for _, r := range h.drop(wanted) {
		stopping.Go(r.stop)
	}
	stopping.Wait()
}

// drop takes out the agents that are not wanted as they are.
func (h *Host) drop(wanted map[string]Spec) []*running {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []*running
	for name, r := range h.agents {
		if s, still := wanted[name]; !still || s.Generation != r.agent.spec.Generation {
			delete(h.agents, name)
			out = append(out, r)
		}
	}
	return out
}

const (
	// heedWithin is how long what is no act, as an evaluation or a sample, may take to notice
	// that the process ends; underWayLook is how often acts are looked at after that.
	heedWithin   = 2 * time.Second
	underWayLook = 100 * time.Millisecond
)

// leave waits until an agent has ended, or its grace is over. The grace is for acts: where
// the process ends, an agent that has none under way and does not end is stuck.
func (h *Host) leave(a *agent, done <-chan struct{}) {
	grace, giveBack := h.Clock.Timer(h.Grace)
	defer giveBack()
	heeded, giveBackHeeded := h.Clock.Timer(heedWithin)
	defer func() { giveBackHeeded() }()
	for {
		select {
		case <-done:
			return
		case <-grace:
			return
		case <-h.cut:
			return
		case <-heeded:
		}
		select {
		case <-h.closed:
			if a.underWay.Load() == 0 {
				return
			}
		default:
		}
		heeded, giveBackHeeded = h.Clock.Timer(underWayLook)
	}
}

// abandonAfter is how long an agent that was cut off may take to notice.
const abandonAfter = time.Second

// start runs an agent. It is known before it runs: from its first turn on, whatever it
// can't read of the journal yet it is told.
func (h *Host) start(a *agent) {
	loopCtx, stopLoop := context.WithCancel(context.Background())
	actCtx, stopActs := context.WithCancel(context.Background())
	done := make(chan struct{})
	stop := func() {
		defer stopActs()
		stopLoop()
		h.leave(a, done)
		stopActs()
		last, giveBackLast := h.Clock.Timer(abandonAfter)
		defer giveBackLast()
		select {
		case <-done:
			a.log.Info("agent stopped")
		case <-last:
			a.log.Error("agent did not stop: a strategy, a guard or an adapter of it does not heed its end")
		}
	}
	h.mu.Lock()
	h.agents[a.name] = &running{agent: a, halt: stopLoop, stop: stop}
	select {
	case <-h.closed: // since it was looked at
		stopLoop()
	default:
	}
	h.mu.Unlock()
	go func() {
		defer close(done)
		a.run(loopCtx, actCtx)
	}()
	a.log.Info("agent started", "mode", a.spec.Mode, "strategies", a.spec.Strategies, "generation", a.spec.Generation)
}

// Closing has nothing started any more, no turn and no delivery either, and cuts off what has not ended by itself
// within the grace, which begins now. Close waits for it.
func (h *Host) Closing() {
	h.closing.Do(func() {
		close(h.closed)
		h.mu.Lock()
		for _, r := range h.agents {
			r.halt()
		}
		h.mu.Unlock()
		h.outbox.retire()
		grace, giveBack := h.Clock.Timer(h.Grace)
		h.cutting.Go(func() {
			defer giveBack()
			select {
			case <-grace:
				close(h.cut)
			case <-h.ended:
			}
		})
	})
}

// Close stops every agent, and returns when each has ended. The inboxes go on
// taking events, for the next start.
func (h *Host) Close() {
	h.Closing()
	h.applying.Lock()
	defer h.applying.Unlock()
	h.stop(nil)
	h.outbox.stop()
	select {
	case <-h.ended:
	default:
		close(h.ended)
	}
	h.cutting.Wait()
}

// Agents says how each agent stands, by name.
func (h *Host) Agents() []AgentStatus {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []AgentStatus
	for _, name := range slices.Sorted(maps.Keys(h.agents)) {
		a := h.agents[name].agent
		a.mu.Lock()
		out = append(out, a.status)
		a.mu.Unlock()
	}
	return out
}

package engine

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Config is what the agents of a process share.
type Config struct {
	Clock    Clock
	Journal  Journal
	Policies Policies
	Verbs    map[string]Verb
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
	// applying lets one Apply through at a time; mu guards the map alone, so that an
	// act of an agent being stopped can still publish.
	applying sync.Mutex
	mu       sync.Mutex
	agents   map[string]*running
}

type running struct {
	agent *agent
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
	return &Host{Config: c, claims: newClaims(), agents: map[string]*running{}}
}

// Apply makes the running agents those of the list: it stops the ones that are
// gone, starts the new ones, and restarts those whose generation changed. It
// returns when what had to stop has stopped.
func (h *Host) Apply(specs []Spec) {
	h.applying.Lock()
	defer h.applying.Unlock()
	wanted := map[string]Spec{}
	for _, s := range specs {
		wanted[s.String()] = s
	}
	var stopping sync.WaitGroup
	for _, r := range h.drop(wanted) {
		stopping.Go(r.stop)
	}
	stopping.Wait()
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		h.mu.Lock()
		_, runs := h.agents[name]
		h.mu.Unlock()
		if runs {
			continue
		}
		r := h.start(newAgent(h, wanted[name]))
		h.mu.Lock()
		h.agents[name] = r
		h.mu.Unlock()
	}
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

func (h *Host) start(a *agent) *running {
	loopCtx, stopLoop := context.WithCancel(context.Background())
	actCtx, stopActs := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.run(loopCtx, actCtx)
	}()
	a.log.Info("agent started", "mode", a.spec.Mode, "strategies", a.spec.Strategies, "generation", a.spec.Generation)
	return &running{agent: a, stop: func() {
		stopLoop()
		grace, cancel := h.Clock.Timer(h.Grace)
		defer cancel()
		select {
		case <-done:
		case <-grace:
			stopActs()
			<-done
		}
		stopActs()
		a.log.Info("agent stopped")
	}}
}

// Close stops every agent, and returns when each has ended.
func (h *Host) Close() { h.Apply(nil) }

// Publish puts an event into the inbox of each agent that has a trigger for its
// type. It returns once the journal holds it: from then on it will be handled,
// once, whatever happens to this process.
func (h *Host) Publish(ctx context.Context, e Event) error {
	h.mu.Lock()
	takers := []*agent{}
	for _, name := range slices.Sorted(maps.Keys(h.agents)) {
		a := h.agents[name].agent
		if slices.ContainsFunc(a.spec.Triggers, func(t Trigger) bool { return t.Event != "" && t.Event == e.Type }) {
			takers = append(takers, a)
		}
	}
	h.mu.Unlock()
	if len(takers) == 0 {
		return fmt.Errorf("no agent here has a trigger for events of type %q", e.Type)
	}
	for _, a := range takers {
		if _, err := h.Journal.Enqueue(ctx, a.name, e); err != nil {
			return fmt.Errorf("put event %s into the inbox of %s: %w", e.ID, a.name, err)
		}
		a.signal()
	}
	return nil
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

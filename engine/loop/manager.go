package loop

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

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/approval"
	"github.com/scanflow-k8s/scanflow/engine/claim"
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
	// Grace bounds the time that acts in progress have to end when their agent is stopped; 0
	// means 10 s. An act that has not ended by then stays an open intent.
	Grace time.Duration
}

// Manager runs the agents of one process. They share its Config and the claims, and nothing
// else.
type Manager struct {
	Config
	Router    *queue.Router
	Approvals *approval.Service

	verbs  map[string]engine.Verb
	claims *claim.Table
	remote *claim.Remote
	outbox *queue.Outbox // nil without a Deliverer

	// applying serializes Apply; mu guards only what is below, so that an act of an agent that
	// is being stopped can still publish.
	applying sync.Mutex
	mu       sync.Mutex
	agents   map[string]*running
	// ended are the outcomes of deliveries whose agent did not run, by identity.
	ended map[string]engine.Conclusion
	// wanted are the names of the agents as last applied.
	wanted atomic.Pointer[map[string]bool]
	// lapsing is set while a goroutine tries to lapse the approvals of agents that are gone.
	// The lock applying guards it.
	lapsing bool

	closing sync.Once
	closed  chan struct{} // nothing is started any more
	cut     chan struct{} // what has not ended is cut off
	done    chan struct{} // nothing is left to cut off
	work    sync.WaitGroup
}

// running is an agent that runs.
type running struct {
	agent *agent
	halt  func() // no further turn begins
	stop  func() // ends the loop, then the acts; returns when both have ended
}

// New returns a manager. No agent runs before Apply.
func New(c Config) *Manager {
	c.Concurrency = cmp.Or(c.Concurrency, 16)
	c.Grace = cmp.Or(c.Grace, 10*time.Second)
	if c.Clock == nil {
		c.Clock = engine.WallClock{}
	}
	if c.Log == nil {
		c.Log = hclog.NewNullLogger()
	}
	if c.Observer == nil {
		c.Observer = engine.Observers(nil)
	}
	m := &Manager{
		Config: c, claims: claim.NewTable(), agents: map[string]*running{}, ended: map[string]engine.Conclusion{},
		closed: make(chan struct{}), cut: make(chan struct{}), done: make(chan struct{}),
	}
	m.wanted.Store(&map[string]bool{})
	m.remote = &claim.Remote{Claims: c.RemoteClaims, Local: m.wants}
	if c.Deliverer != nil {
		m.outbox = queue.NewOutbox(c.Journal, c.Deliverer, m, c.Clock, c.Log)
	}
	m.Router = queue.NewRouter(c.Journal, c.Peers, m.outbox, m.wakeAgent)
	if c.Verbs != nil {
		m.verbs = c.Verbs(m.Router)
	}
	m.Approvals = &approval.Service{Store: c.Journal, Clock: c.Clock, Observer: c.Observer, Decided: m.decided}
	return m
}

// wants reports whether an agent is among those last applied.
func (m *Manager) wants(agent string) bool { return (*m.wanted.Load())[agent] }

// find returns an agent that runs, nil if it does not.
func (m *Manager) find(name string) *agent {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.agents[name]; r != nil {
		return r.agent
	}
	return nil
}

func (m *Manager) all() []*agent {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*agent
	for _, name := range slices.Sorted(maps.Keys(m.agents)) {
		out = append(out, m.agents[name].agent)
	}
	return out
}

// wakeAgent wakes the loop of an agent, or with "" of all.
func (m *Manager) wakeAgent(name string) {
	if name != "" {
		if a := m.find(name); a != nil { // the current one: it may have been restarted
			a.signal()
		}
		return
	}
	for _, a := range m.all() {
		a.signal()
	}
}

func (m *Manager) decided(p engine.Approval) {
	if a := m.find(p.Agent); a != nil {
		a.decided(p)
	}
}

// loadWithin bounds the reading of the agents' memories before they start. One that can't be
// read by then is read later, by the agent itself.
const loadWithin = 5 * time.Second

// Apply makes the running agents those of the list: it stops the ones that are not in it,
// starts the new ones, and restarts those whose generation changed. It returns when what had
// to stop has stopped. All new agents have loaded their claims before any of them starts. A
// manager that is being closed starts nothing.
func (m *Manager) Apply(specs []engine.Spec) {
	m.applying.Lock()
	defer m.applying.Unlock()
	wanted := map[string]engine.Spec{}
	names := map[string]bool{}
	for _, s := range specs {
		wanted[s.String()], names[s.String()] = s, true
	}
	m.wanted.Store(&names)
	m.Router.SetAgents(specs)
	if m.outbox != nil {
		m.outbox.Start()
	}
	m.stop(wanted)
	m.claims.DropOrphans(m.wants)
	m.lapseOrphans()

	var fresh []*agent
	ctx, cancel := context.WithTimeout(context.Background(), loadWithin)
	defer cancel()
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if m.find(name) != nil {
			continue
		}
		a := newAgent(m, wanted[name])
		if err := a.load(ctx); err != nil {
			a.log.Error("the journal can't be read: nothing is done until it can", "error", err)
		}
		fresh = append(fresh, a)
	}
	for _, a := range fresh {
		select {
		case <-m.closed:
			return
		default:
		}
		m.start(a)
	}
}

// start runs an agent. It is in the map before it runs, so that it is passed what it can't
// read from the journal yet.
func (m *Manager) start(a *agent) {
	loopCtx, stopLoop := context.WithCancel(context.Background())
	actCtx, stopActs := context.WithCancel(context.Background())
	done := make(chan struct{})
	stop := func() {
		defer stopActs()
		stopLoop()
		m.awaitEnd(a, done)
		stopActs()
		last, stopTimer := m.Clock.Timer(abandonAfter)
		defer stopTimer()
		select {
		case <-done:
			a.log.Info("agent stopped")
		case <-last:
			a.log.Error("agent did not stop: a strategy, a guard or an adapter of it does not heed its end")
		}
	}
	m.mu.Lock()
	m.agents[a.Name()] = &running{agent: a, halt: stopLoop, stop: stop}
	select {
	case <-m.closed: // in the meantime
		stopLoop()
	default:
	}
	m.mu.Unlock()
	go func() {
		defer close(done)
		a.run(loopCtx, actCtx)
	}()
	a.log.Info("agent started", "mode", a.spec.Mode, "strategies", a.spec.Strategies, "generation", a.spec.Generation)
}

// stop ends the agents that are not wanted as they are.
func (m *Manager) stop(wanted map[string]engine.Spec) {
	m.mu.Lock()
	var drop []*running
	for name, r := range m.agents {
		if s, still := wanted[name]; !still || s.Generation != r.agent.spec.Generation {
			delete(m.agents, name)
			drop = append(drop, r)
		}
	}
	m.mu.Unlock()
	var stopping sync.WaitGroup
	for _, r := range drop {
		stopping.Go(r.stop)
	}
	stopping.Wait()
}

const (
	// returnWithin bounds an evaluation or a sample in progress when the process ends. After
	// that the manager checks for acts in progress every pollInterval.
	returnWithin = 2 * time.Second
	pollInterval = 100 * time.Millisecond
	// abandonAfter bounds the wait for an agent whose context was cancelled.
	abandonAfter = time.Second
)

// awaitEnd waits until an agent has ended, or its grace is over. The grace is for acts: where
// the process ends, an agent that has none in progress and does not end is stuck.
func (m *Manager) awaitEnd(a *agent, done <-chan struct{}) {
	grace, stopGrace := m.Clock.Timer(m.Grace)
	defer stopGrace()
	check, stopCheck := m.Clock.Timer(returnWithin)
	defer func() { stopCheck() }()
	for {
		select {
		case <-done:
			return
		case <-grace:
			return
		case <-m.cut:
			return
		case <-check:
		}
		select {
		case <-m.closed:
			if a.runner.inProgress.Load() == 0 {
				return
			}
		default:
		}
		check, stopCheck = m.Clock.Timer(pollInterval)
	}
}

// BeginClose starts no turn and no delivery any more. What has not ended within the grace,
// which begins now, is cut off. Close waits for it.
func (m *Manager) BeginClose() {
	m.closing.Do(func() {
		close(m.closed)
		m.mu.Lock()
		for _, r := range m.agents {
			r.halt()
		}
		m.mu.Unlock()
		if m.outbox != nil {
			m.outbox.Retire()
		}
		grace, stop := m.Clock.Timer(m.Grace)
		m.work.Go(func() {
			defer stop()
			select {
			case <-grace:
				close(m.cut)
			case <-m.done:
			}
		})
	})
}

// Close stops every agent, and returns when each has ended. The inboxes still take events,
// for the next start.
func (m *Manager) Close() {
	m.BeginClose()
	m.applying.Lock()
	defer m.applying.Unlock()
	m.stop(nil)
	if m.outbox != nil {
		m.outbox.Stop()
	}
	select {
	case <-m.done:
	default:
		close(m.done)
	}
	m.work.Wait()
}

// Agents returns the state of each agent, by name.
func (m *Manager) Agents() []AgentStatus {
	var out []AgentStatus
	for _, a := range m.all() {
		out = append(out, a.getStatus())
	}
	return out
}

// Claims lists what agents of this process hold on every target, in order.
func (m *Manager) Claims() []engine.HeldClaim {
	return m.claims.List(m.Clock.Now(), func(verb string) time.Duration {
		return cmp.Or(m.verbs[verb].Deadline, engine.DefaultActDeadline)
	})
}

// documentsAtOnce bounds the agents that are asked for their documents at a time.
const documentsAtOnce = 32

// Documents returns the newest documents of each agent that ends its turn before the context
// ends, at most 50 an agent, as JSON: policies are tried on them before they go live.
func (m *Manager) Documents(ctx context.Context) map[string][]json.RawMessage {
	agents := m.all()
	out := map[string][]json.RawMessage{}
	var mu sync.Mutex
	parallel(documentsAtOnce, len(agents), func(i int) {
		answer := make(chan []json.RawMessage, 1)
		select {
		case agents[i].documents <- answer:
			docs := <-answer
			mu.Lock()
			defer mu.Unlock()
			out[agents[i].Name()] = docs
		case <-ctx.Done():
		}
	})
	return out
}

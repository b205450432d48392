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
	shared *overlaps
	// previewSlots bounds the previews in progress.
	previewSlots chan struct{}

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
		Config: c, claims: claim.NewTable(), agents: map[string]*running{}, ended: map[string]engine.Conclusion{}, previewSlots: make(chan struct{}, mostPreviews),
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
	m.shared = newOverlaps(m.verbs, m.overlapsChanged)
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
	m.shared.drop(m.stop(wanted)...)
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
	if m.outbox != nil { // only now: an act that it ends is among the open ones of its agent
		m.outbox.Start()
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

// overlapsChanged reports what an agent shares with others: all of it in the agent's state, and
// what no priority decides in the log and to Config.Overlaps.
func (m *Manager) overlapsChanged(name string, found []overlap) {
	var undecided, toLog []string
	for i := range found {
		if o := &found[i]; o.Own == o.Others {
			undecided = append(undecided, o.String())
			if name < o.Other { // the other one does not log it again
				toLog = append(toLog, o.String())
			}
		}
	}
	if a := m.find(name); a != nil {
		a.mu.Lock()
		a.status.Overlaps = texts(found)
		if len(toLog) > a.overlapsLogged {
			a.log.Warn("other agents write the same field of the same targets", "others", toLog)
		}
		a.overlapsLogged = len(toLog)
		a.mu.Unlock()
	}
	if m.Overlaps != nil {
		m.Overlaps(name, undecided)
	}
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

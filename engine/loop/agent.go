package loop

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/claim"
	"github.com/scanflow-k8s/scanflow/engine/memory"
	"github.com/scanflow-k8s/scanflow/engine/turn"
)

// agent is the loop of one agent. Its life:
//
//	      load memory, open intents, inbox
//	                    |
//	+------------> waiting --------- stopped ---> wait for the acts, or leave them to the next start
//	|                |    \
//	|  time or watch       event
//	|                |    /
//	+------------- firing ---> acts, each on its own
//
// One goroutine waits and fires, and only it uses the fields above the mutex. The acts have
// goroutines of their own, which the runner owns.
type agent struct {
	*turn.Agent
	m         *Manager
	spec      engine.Spec
	log       hclog.Logger
	sampler   *sampler
	watches   *watches
	inbox     *inbox
	runner    *runner
	recovery  *recovery
	rehearsed map[string]bool // triggers whose strategies were rehearsed
	saved     time.Time       // when the readings were saved last
	lastClock time.Time       // what the clock showed when the loop looked last
	unwritten map[string]bool // decisions that observers got while the journal failed

	wake      chan struct{} // an event arrived, or a person decided
	documents chan chan<- []json.RawMessage
	forks     chan chan<- forked
	previews  previews

	mu             sync.Mutex
	status         AgentStatus
	overlapsLogged int // how many overlaps the log has
}

// AgentStatus is the state of an agent, for /readyz, metrics and screens.
type AgentStatus struct {
	Agent      string      `json:"agent"`
	Mode       engine.Mode `json:"mode"`
	Generation string      `json:"generation"`
	// Interval is that of its shortest time trigger, 0 if it has none.
	Interval time.Duration `json:"interval_ns"`
	Started  time.Time     `json:"started"`
	// LastFiring is zero before the first one.
	LastFiring time.Time `json:"last_firing"`
	Targets    int       `json:"targets"`
	Problems   []string  `json:"problems"`
	// JournalError is why the last firing could not be recorded, "" if it was.
	JournalError string `json:"journal_error,omitempty"`
	// Overlaps lists the agents of this process that write a field of one of its targets too.
	Overlaps []string `json:"overlaps,omitempty"`
}

func newAgent(m *Manager, spec engine.Spec) *agent {
	name := spec.String()
	a := &agent{
		m: m, spec: spec, log: m.Log.Named("agent").With("agent", name), sampler: newSampler(spec.Sensors),
		wake: make(chan struct{}, 1), documents: make(chan chan<- []json.RawMessage), forks: make(chan chan<- forked),
		previews: newPreviews(len(spec.Sensors)), rehearsed: map[string]bool{}, unwritten: map[string]bool{},
	}
	a.Agent = turn.NewAgent(spec, m.verbs, &claim.View{Shared: m.claims, DryRun: claim.NewTable(), Remote: m.remote, IsDry: spec.Mode == engine.DryRun, Priority: spec.Priority})
	a.watches = newWatches(m.Watcher, spec.Triggers, m.Clock, a.log)
	a.inbox = &inbox{queue: m.Journal, agent: name, clock: m.Clock, log: a.log, deferred: map[string]time.Time{}}
	a.runner = newRunner(a)
	a.Replaceable = a.runner.deliveries.replaceable
	a.recovery = &recovery{agent: a}
	a.status = AgentStatus{Agent: name, Mode: spec.Mode, Generation: spec.Generation, Started: m.Clock.Now()}
	return a
}

// load reads what an earlier run of the agent left in the journal, once. Before it succeeds,
// the agent samples and decides, and does nothing: it does not know its cooldowns, nor which
// acts are open.
func (a *agent) load(ctx context.Context) error {
	if a.recovery.loaded {
		return nil
	}
	now, journal := a.m.Clock.Now(), a.m.Journal
	r, err := journal.Remember(ctx, a.Name(), now.Add(-max(a.spec.Guards.LookBack(), memory.FailureHorizon)))
	if err != nil {
		return fmt.Errorf("read the agent's memory: %w", err)
	}
	open, err := journal.Open(ctx, a.Name())
	if err != nil {
		return fmt.Errorf("read the agent's open intents: %w", err)
	}
	approvals, err := journal.Approvals(ctx, a.Name(), a.keepApprovalsSince(now).Add(-approvalSlack))
	if err != nil {
		return fmt.Errorf("read the agent's approvals: %w", err)
	}
	readings, err := journal.LoadReadings(ctx, a.Name())
	if err != nil {
		return fmt.Errorf("read the agent's last readings: %w", err)
	}
	r = memory.NotAfter(r, now)
	a.Memory.Load(r, a.spec.Mode == engine.DryRun, a.spec.Guards.Horizon(), a.m.verbs)
	for _, p := range approvals {
		a.Approvals.Merge(p, now)
	}
	a.Claims.Reclaim(open, r.Acts, a.EndOf, now)
	a.RestoreReadings(readings)
	a.recovery.set(open)
	return nil
}

func (a *agent) setStatus(rec *engine.FiringRecord, journalErr error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.status.LastFiring, a.status.Targets, a.status.Problems = rec.At, rec.Targets, rec.Problems
	a.status.JournalError = ""
	if journalErr != nil {
		a.status.JournalError = journalErr.Error()
	}
}

func (a *agent) getStatus() AgentStatus {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.status
}

// saveReadingsEvery is the interval at which the last good readings are saved.
const saveReadingsEvery = 30 * time.Second

// saveReadings saves the last good readings of the sensors, if that is due.
func (a *agent) saveReadings(ctx context.Context, now time.Time) {
	if now.Sub(a.saved) < saveReadingsEvery {
		return
	}
	if err := a.writeReadings(ctx); err != nil {
		a.log.Warn("last readings not kept", "error", err)
		return
	}
	a.saved = now
}

func (a *agent) writeReadings(ctx context.Context) error {
	raw, err := a.Readings()
	if err != nil || raw == nil {
		return err
	}
	return a.m.Journal.SaveReadings(ctx, a.Name(), raw)
}

// saveReadingsAtEnd saves them once more when the agent stops.
func (a *agent) saveReadingsAtEnd() {
	ctx, cancel := context.WithTimeout(context.Background(), concludeHurry)
	defer cancel()
	if err := a.writeReadings(ctx); err != nil {
		a.log.Warn("last readings not kept", "error", err)
	}
}

package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
)

// agent is one loop. Its life:
//
//	      recall memory, open intents, inbox
//	                    |
//	+------------> waiting --------- stopped ---> let the acts end, or hand them over
//	|                |    \
//	|  time or watch       event
//	|                |    /
//	+------------- firing ---> acts, each on its own
//
// One goroutine waits and fires; the acts have their own, which it owns and waits
// for. Fields below the mutex are shared with the acts.
type agent struct {
	spec      Spec
	name      string // namespace/name
	host      *Host
	log       hclog.Logger
	names     []string // of the signals
	sampler   *sampler
	slots     map[TargetID]*slot
	turn      int
	seenAt    map[TargetID]int // the turn in which a target was last in the fleet
	reads     *reads
	readsFor  string
	remembers bool
	open      []Intent
	saved     time.Time
	retryAt   time.Time               // when events that could not be handled are looked at again
	tidyAt    time.Time               // when what is unsettled is looked at again
	seen      time.Time               // what the clock showed at the last turn of the loop
	dry       *claims                 // what a dry run would hold
	said      map[string]bool         // decisions told while the journal can't be written
	good      map[TargetID][]lastGood // read back from the journal, for targets not seen yet

	watching *watching
	begun    time.Time            // when its loop began
	waiting  map[string]time.Time // events that wait for a guard, by name: when they are looked at again
	attempts int                  // at the event that is next, by firings whose strategies failed
	failed   string               // what failed in the last firing's strategies, "" for nothing

	rehearsed map[string]bool // triggers whose strategies were tried elsewhere first
	shown     chan chan<- []json.RawMessage

	wake chan struct{} // an event came in
	room chan struct{} // bounds the calls of adapters under way
	busy chan struct{} // bounds the acts that are started and don't wait for the world
	acts sync.WaitGroup
	// underWay counts the goroutines of acts.
	underWay atomic.Int32
	actCtx   context.Context

	mu          sync.Mutex
	memories    map[TargetID]*memory
	touched     map[TargetID]bool
	asked       asked
	queue       []Intent           // the acts to be started
	sent        map[string]*errand // the acts that the outbox delivers, by identity
	starting    bool               // somebody empties the queue
	fleetSize   int
	unconcluded []Conclusion
	status      AgentStatus
}

// AgentStatus is how an agent stands, for /readyz, metrics and screens.
type AgentStatus struct {
	Agent      string `json:"agent"`
	Mode       Mode   `json:"mode"`
	Generation string `json:"generation"`
	// Interval is its shortest time trigger, 0 if it has none.
	Interval time.Duration `json:"interval_ns"`
	Started  time.Time     `json:"started"`
	// LastFiring is zero before the first one.
	LastFiring time.Time `json:"last_firing"`
	Targets    int       `json:"targets"`
	Problems   []string  `json:"problems"`
	// JournalError is why the last firing could not be recorded, "" if it was.
	JournalError string `json:"journal_error,omitempty"`
}

func newAgent(h *Host, spec Spec) *agent {
	a := &agent{
		spec: spec, name: spec.String(), host: h, log: h.Log.Named("agent").With("agent", spec.String()),
		sampler: newSampler(spec.Sensors), slots: map[TargetID]*slot{}, seenAt: map[TargetID]int{},
		shown: make(chan chan<- []json.RawMessage),
		wake:  make(chan struct{}, 1), room: make(chan struct{}, h.Concurrency), busy: make(chan struct{}, busyPerCall*h.Concurrency),
		memories: map[TargetID]*memory{}, waiting: map[string]time.Time{}, sent: map[string]*errand{}, dry: newClaims(), watching: newWatching(h.Watcher, spec.Triggers),
	}
	for _, s := range spec.Sensors {
		a.names = append(a.names, s.Name)
	}
	a.status = AgentStatus{Agent: a.name, Mode: spec.Mode, Generation: spec.Generation, Started: h.Clock.Now()}
	return a
}

// remember reads back what an earlier life of the agent left in the journal, once.
// Until it could, the agent senses and does nothing: it would not know its
// cooldowns, nor what it left unfinished.
func (a *agent) remember(ctx context.Context) error {
	if a.remembers {
		return nil
	}
	now := a.host.Clock.Now()
	r, err := a.host.Journal.Remember(ctx, a.name, now.Add(-a.spec.Guards.Horizon()))
	if err != nil {
		return fmt.Errorf("read the agent's memory: %w", err)
	}
	open, err := a.host.Journal.Open(ctx, a.name)
	if err != nil {
		return fmt.Errorf("read the agent's open intents: %w", err)
	}
	asked, err := a.host.Journal.Approvals(ctx, a.name, a.approvalsSince(now).Add(-approvalsBack))
	if err != nil {
		return fmt.Errorf("read the agent's approvals: %w", err)
	}
	raw, err := a.host.Journal.LoadReadings(ctx, a.name)
	if err != nil {
		return fmt.Errorf("read the agent's last readings: %w", err)
	}
	a.mu.Lock()
	r = r.inPast(now)
	a.memories = recall(r, a.spec.Mode == DryRun, a.spec.Guards.Horizon(), a.host.Verbs)
	a.recallApprovals(asked, now)
	a.mu.Unlock()
	a.open, a.remembers = open, true
	a.reclaim(r, now)
	a.loadReadings(raw)
	return nil
}

// reclaim takes back the claims that the earlier life held or left cooling.
func (a *agent) reclaim(r Recollection, now time.Time) {
	for _, in := range a.open {
		if in.DryRun {
			continue
		}
		a.host.claims.take(in.Target, in.Claim, Claim{Agent: a.name, Strategy: in.Strategy, Verb: in.Primitive}, in.Identity, now)
		a.host.claims.began(in.Target, in.Claim, in.Identity, past(in.At, now))
	}
	for _, act := range r.Acts {
		if act.Outcome.Status != Done && act.Outcome.Status != Failed || act.DryRun {
			continue
		}
		if until := act.EndedAt.Add(a.spec.Guards.Cooldown[cooldownKey(act.Primitive, act.Direction)]); until.After(now) {
			if _, _, _, ok := a.host.claims.take(act.Target, act.Claim, Claim{Agent: a.name, Strategy: act.Strategy, Verb: act.Primitive}, act.Identity, now); ok {
				a.host.claims.release(act.Target, act.Claim, act.Identity, until, now)
			}
		}
	}
}

// slotOf is a target's place, made on its first appearance.
func (a *agent) slotOf(t *Target) *slot {
	id := t.ID()
	s := a.slots[id]
	if s == nil {
		s = &slot{last: make([]lastGood, len(a.names)), totals: make([]total, len(a.names))}
		if good := a.good[id]; len(good) == len(a.names) {
			copy(s.last, good)
		}
		s.doc.Agent, s.doc.Names, s.doc.Params = &a.spec.AgentInfo, a.names, a.spec.Params
		s.doc.Signals = make([]Signal, len(a.names))
		a.slots[id] = s
	}
	return s
}

// retireAfter is the number of turns without a target after which its place is
// given up. What it remembers of acts stays.
const retireAfter = 100

func (a *agent) retire(present []*slot) {
	a.turn++
	if len(a.slots) == len(present) {
		if len(a.seenAt) > 0 {
			clear(a.seenAt)
		}
		return
	}
	here := make(map[*slot]bool, len(present))
	for _, s := range present {
		here[s] = true
	}
	for id, s := range a.slots {
		if here[s] {
			delete(a.seenAt, id)
		} else if since, known := a.seenAt[id]; !known {
			a.seenAt[id] = a.turn
		} else if a.turn-since > retireAfter {
			delete(a.slots, id)
			delete(a.seenAt, id)
			a.forgetTarget(id)
		}
	}
}

// forgetTarget drops the memory of a target that is gone, if no guard counts on it;
// the journal has it, should the target come back after a restart.
func (a *agent) forgetTarget(id TargetID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if m := a.memories[id]; m != nil {
		m.forget(a.host.Clock.Now().Add(-a.spec.Guards.Horizon()))
		if len(m.acts) == 0 && len(m.doc) == 0 && len(m.wrote) == 0 && len(m.marks) == 0 {
			delete(a.memories, id)
		}
	}
}

// memoryOf is what is remembered of a target. The mutex is held.
func (a *agent) memoryOf(id TargetID) *memory {
	m := a.memories[id]
	if m == nil {
		m = &memory{}
		a.memories[id] = m
	}
	return m
}

func (a *agent) keepNotes(notes []Note) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, n := range notes {
		a.memoryOf(n.Target).keep(n)
		a.marked(n)
	}
}

func (a *agent) setStatus(rec FiringRecord, journalErr error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.status.LastFiring, a.status.Targets, a.status.Problems = rec.At, rec.Targets, rec.Problems
	a.status.JournalError = ""
	if journalErr != nil {
		a.status.JournalError = journalErr.Error()
	}
}

// readsOf is what the strategies read in a revision, worked out once for each.
func (a *agent) readsOf(rev Revision) *reads {
	if a.reads == nil || a.readsFor != rev.ID() {
		r := resolve(rev.Reads(a.spec.Strategies), a.names)
		a.reads, a.readsFor = &r, rev.ID()
	}
	return a.reads
}

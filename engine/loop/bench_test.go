package loop_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
	"github.com/scanflow-k8s/scanflow/engine/loop"
	"github.com/scanflow-k8s/scanflow/engine/policy"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
	"github.com/scanflow-k8s/scanflow/engine/queue"
)

// bench is an engine with the real journal and real policies, a clock that the
// test moves, a signal that it sets, and an actuator that writes to a map.
type bench struct {
	t           *testing.T
	dir         string
	clock       *engine.ManualClock
	journal     *journal.Journal
	policies    *policy.Store
	files       fstest.MapFS
	manager     *loop.Manager
	verbs       map[string]engine.Verb
	world       *world
	jobs        *jobs
	watcher     *fakeWatcher
	load        *fakeSensor
	fired       chan engine.FiringRecord
	acted       chan engine.Act
	stalled     chan engine.Act                     // nil drops them
	concurrency int                                 // 0 is the engine's own bound
	inboxMost   int                                 // 0 is the journal's own bound
	wrap        func(engine.Journal) engine.Journal // for faults
	deliverer   engine.Deliverer                    // delivers to the one peer; nil: there is no peer
}

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// scaling proposes one replica per ten units of load.
const scaling = `package scanflow.strategies.t.scaling

propose contains p if {
	wanted := ceil(input.signals.load.value / 10)
	wanted != input.target.replicas.desired
	p := {"primitive": "scale", "with": {"replicas": wanted}, "priority": 10, "reason": "load", "because": ["load"]}
}
`

func newBench(t *testing.T, rego ...string) *bench {
	b := &bench{
		t: t, dir: t.TempDir(), clock: engine.NewManualClock(start), world: &world{replicas: map[string]int{}}, jobs: &jobs{at: map[string]engine.Status{}}, watcher: &fakeWatcher{changes: make(chan engine.ObjectChange)},
		load: &fakeSensor{values: map[string]engine.Signal{}}, files: fstest.MapFS{},
	}
	for i, text := range append([]string{scaling}, rego...) {
		b.files[fmt.Sprintf("p%d.rego", i)] = &fstest.MapFile{Data: []byte(text)}
	}
	b.policies = policy.NewStore(source.FromFS(b.files), policy.StoreOptions{})
	require.NoError(t, b.policies.Load(t.Context()))
	b.open()
	t.Cleanup(b.close)
	return b
}

// open simulates the start of a process, and close its end.
func (b *bench) open() {
	var err error
	b.journal, err = journal.Open(context.Background(), b.dir, journal.Options{Clock: b.clock, InboxMost: b.inboxMost})
	require.NoError(b.t, err)
	b.fired, b.acted = make(chan engine.FiringRecord, 1000), make(chan engine.Act, 1000)
	var j engine.Journal = b.journal
	if b.wrap != nil {
		j = b.wrap(j)
	}
	b.verbs = map[string]engine.Verb{
		"job":   {Actuator: b.jobs, Claim: func(map[string]any) string { return "workflow/job" }, Deadline: 24 * time.Hour},
		"scale": {Actuator: b.world, Claim: func(map[string]any) string { return "replicas" }, Direction: direction},
		"hook":  {Actuator: (*hook)(b.world), OneShot: true},
		"webhook": {OneShot: true, Delivered: true, Deadline: engine.DeliveryTimeout, Actuator: queuedCall(func(ctx context.Context, c engine.Change) error {
			return b.manager.Router.Call(ctx, queue.NewCall(c, c.Proposal.With["body"], b.clock.Now()), c, "http://127.0.0.1:1/hook")
		})},
		"event.send": {OneShot: true, Actuator: eventSender(func(ctx context.Context, c engine.Change) error {
			return b.manager.Router.Publish(ctx, engine.Event{ID: c.Identity, Source: "/agents/" + c.Proposal.Agent, Type: "asked", Time: b.clock.Now(), Sender: c.Proposal.Agent, Hops: c.Proposal.Hops})
		})},
	}
	c := loop.Config{Clock: b.clock, Journal: j, Policies: b.policies, Verbs: func(*queue.Router) map[string]engine.Verb { return b.verbs }, Observer: b, Seed: 1, Watcher: b.watcher, Concurrency: b.concurrency}
	if b.deliverer != nil {
		c.Deliverer, c.Peers = b.deliverer, []string{"http://peer.example"}
	}
	b.manager = loop.New(c)
}

func (b *bench) close() {
	done := make(chan struct{})
	go func() { defer close(done); b.manager.Close() }()
	for open := true; open; {
		select {
		case <-done:
			open = false
		case <-time.After(25 * time.Millisecond): // lets grace periods and retries pass
			b.clock.Advance(250 * time.Millisecond)
		}
	}
	require.NoError(b.t, b.journal.Close())
}

func (b *bench) restart() { b.close(); b.open() }

func (b *bench) Fired(f engine.FiringRecord) { b.fired <- f }
func (b *bench) Acted(a engine.Act)          { b.acted <- a }

func (b *bench) Stalled(a engine.Act) {
	select {
	case b.stalled <- a:
	default:
	}
}

func (b *bench) spec(change ...func(*engine.Spec)) engine.Spec {
	s := engine.Spec{
		AgentInfo: engine.AgentInfo{Namespace: "ns", Name: "planner"}, Mode: engine.Enforce, Fleet: b.world,
		Triggers:   []engine.Trigger{{Name: "tick", Every: 10 * time.Second}},
		Sensors:    []engine.SensorSpec{{Name: "load", Sensor: b.load, StaleAfter: time.Minute}},
		Strategies: []string{"t.scaling"}, Primitives: []string{"scale", "hook", "event.send", "job"}, Generation: "1",
	}
	for _, c := range change {
		c(&s)
	}
	return s
}

func (b *bench) run(specs ...engine.Spec) { b.manager.Apply(specs) }

// next returns the record of the next firing.
func (b *bench) next() engine.FiringRecord { return receive(b.t, b.fired) }

// nextOf returns the record of one agent's next firing. A firing may be reported after the
// firings that it caused.
func (b *bench) nextOf(agent string) engine.FiringRecord {
	for {
		if f := b.next(); f.Agent == agent {
			return f
		}
	}
}

// tick moves the clock to the next interval and returns that firing.
func (b *bench) tick() engine.FiringRecord {
	b.clock.Advance(10 * time.Second)
	return b.next()
}

// nextAct returns the next act that ended.
func (b *bench) nextAct() engine.Act { return receive(b.t, b.acted) }

func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(20 * time.Second):
		require.FailNow(t, "nothing came within 20 s")
		panic("unreachable")
	}
}

func only(t *testing.T, f engine.FiringRecord) engine.Decision {
	t.Helper()
	require.Len(t, f.Decisions, 1, "%+v", f)
	return f.Decisions[0]
}

// fakeSensor is a sensor whose signals the test sets.
type fakeSensor struct {
	mu     sync.Mutex
	values map[string]engine.Signal
}

func (d *fakeSensor) set(target string, s engine.Signal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.values[target] = s
}

func (d *fakeSensor) setValue(target string, v float64) {
	d.set(target, engine.Signal{State: engine.OK, Value: v})
}

func (d *fakeSensor) Sample(_ context.Context, _ time.Time, fleet []engine.Target) (engine.Reading, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make(engine.Reading, len(fleet))
	for i := range fleet {
		out[i] = engine.Signal{State: engine.Empty}
		if s, set := d.values[fleet[i].Name]; set {
			out[i] = s
		}
	}
	return out, nil
}

// world is a fleet with replicas, and the actuator of scale.
type world struct {
	mu       sync.Mutex
	replicas map[string]int
	applied  []engine.Change
	sent     []engine.Change
	block    func(target string) <-chan struct{} // Apply waits for it
	fail     error
	lost     error // the fleet can't be listed
}

func (w *world) Targets(context.Context) ([]engine.Target, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lost != nil {
		return nil, w.lost
	}
	var out []engine.Target
	for name, n := range w.replicas {
		out = append(out, engine.Target{Kind: "Deployment", Namespace: "ns", Name: name, Replicas: &engine.Replicas{Desired: n, Ready: n}})
	}
	return out, nil
}

func (w *world) Plan(_ context.Context, p engine.Proposal) (engine.Change, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now, want := w.replicas[p.Target.Name], int(p.With["replicas"].(float64))
	if p.Identity == "" {
		return engine.Change{}, errors.New("Plan needs the act's identity")
	}
	return engine.Change{NoOp: now == want, Diff: fmt.Sprintf("replicas %d -> %d", now, want)}, nil
}

func (w *world) Apply(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	w.mu.Lock()
	block, fail := w.block, w.fail
	w.mu.Unlock()
	if block != nil {
		select {
		case <-block(c.Proposal.Target.Name):
		case <-ctx.Done():
			return engine.Outcome{}, ctx.Err()
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.applied = append(w.applied, c)
	if fail == nil {
		w.replicas[c.Proposal.Target.Name] = int(c.Proposal.With["replicas"].(float64))
	}
	return engine.Outcome{Status: engine.Done}, fail
}

func (w *world) count() int { w.mu.Lock(); defer w.mu.Unlock(); return len(w.applied) }

func (w *world) state() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.replicas)
}

func (w *world) set(target string, n int) { w.mu.Lock(); defer w.mu.Unlock(); w.replicas[target] = n }

// hook is an actuator whose effect can't be read back.
type hook world

func (h *hook) Plan(context.Context, engine.Proposal) (engine.Change, error) {
	return engine.Change{Diff: "POST"}, nil
}

func (h *hook) Apply(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.block != nil {
		block := h.block(c.Proposal.Target.Name)
		h.mu.Unlock()
		select {
		case <-block:
		case <-ctx.Done():
		}
		h.mu.Lock()
		if ctx.Err() != nil {
			return engine.Outcome{}, ctx.Err()
		}
	}
	h.sent = append(h.sent, c)
	return engine.Outcome{Status: engine.Done}, nil
}

type eventSender func(context.Context, engine.Change) error

func (s eventSender) Plan(context.Context, engine.Proposal) (engine.Change, error) {
	return engine.Change{Diff: "event"}, nil
}

func (s eventSender) Apply(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	return engine.Outcome{Status: engine.Done}, s(ctx, c)
}

// queuedCall puts a request into the outbox.
type queuedCall eventSender

func (s queuedCall) Plan(context.Context, engine.Proposal) (engine.Change, error) {
	return engine.Change{Diff: "POST"}, nil
}

func (s queuedCall) Apply(ctx context.Context, c engine.Change) (engine.Outcome, error) {
	return engine.Outcome{Status: engine.Running}, s(ctx, c)
}

func direction(p engine.Proposal) engine.Direction {
	replicas, _ := jsonvalue.Float(p.With["replicas"])
	switch want := int(replicas); {
	case want > p.Target.Replicas.Desired:
		return engine.Up
	case want < p.Target.Replicas.Desired:
		return engine.Down
	}
	return ""
}

// failingJournal fails the writes that a test chooses. Real faults are tested in
// engine/journal and by the daemon's tests.
type failingJournal struct {
	engine.Journal
	firing, conclusion, memory atomic.Bool
	large                      atomic.Bool // firings for events named large are refused as too large
}

var errDisk = errors.New("no space left")

func (f *failingJournal) RecordFiring(ctx context.Context, r engine.FiringRecord) error {
	if f.firing.Load() {
		return errDisk
	}
	if e := r.Trigger.Event; f.large.Load() && e != nil && e.ID == "large" {
		return fmt.Errorf("%w: 10001 acts", engine.ErrTooLarge)
	}
	return f.Journal.RecordFiring(ctx, r)
}

func (f *failingJournal) Conclude(ctx context.Context, c engine.Conclusion) error {
	if f.conclusion.Load() {
		return errDisk
	}
	return f.Journal.Conclude(ctx, c)
}

func (f *failingJournal) Remember(ctx context.Context, agent string, since time.Time) (engine.Recollection, error) {
	if f.memory.Load() {
		return engine.Recollection{}, errDisk
	}
	return f.Journal.Remember(ctx, agent, since)
}

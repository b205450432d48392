package app

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
	"github.com/scanflow-k8s/scanflow/engine/loop"
	"github.com/scanflow-k8s/scanflow/engine/policy"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
	"github.com/scanflow-k8s/scanflow/engine/queue"
	"github.com/scanflow-k8s/scanflow/sensors"
	"github.com/scanflow-k8s/scanflow/sensors/promengine"
)

const (
	fleetSignals    = 5
	fleetStrategies = 10
)

// fleet is an agent over many targets: the real Prometheus engine over loopback,
// the real policies and journal. Its acts are dry, so that what is measured is the
// agent and not an API that it calls.
type fleet struct {
	tb      testing.TB
	targets []engine.Target
	prom    *promengine.Engine
	queries atomic.Int64
	clock   *engine.ManualClock
	host    *loop.Manager
	journal *journal.Journal
	fired   chan engine.FiringRecord
	acted   chan engine.Act
	turn    int
	samples []promengine.Sample
}

// strategyText is one of the fleet's strategies: it proposes where a signal passes
// a bound. All of them together read all the signals.
func strategyText(i int) string {
	return fmt.Sprintf(`package scanflow.strategies.fleet.s%d

# METADATA
# title: Signal %d above bound
propose contains p if {
	input.signals.m%d.value > input.params.bound
	input.target.labels.tier == "gold"
	p := {
		"primitive": "webhook", "with": {"url": "http://127.0.0.1:1/", "body": {"strategy": %d}},
		"priority": %d, "reason": "above_bound", "because": ["m%d"],
	}
}
`, i, i%fleetSignals, i%fleetSignals, i, i, i%fleetSignals)
}

func newFleet(tb testing.TB, n int) *fleet {
	f := &fleet{tb: tb, clock: engine.NewManualClock(time.Now()), fired: make(chan engine.FiringRecord, 10), acted: make(chan engine.Act, 100000)}
	var err error
	f.prom, err = promengine.Open(promengine.Options{})
	require.NoError(tb, err)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.queries.Add(1)
		f.prom.Handler().ServeHTTP(w, r)
	}))
	spec := engine.Spec{
		AgentInfo: engine.AgentInfo{Namespace: "fleet", Name: "planner"}, Mode: engine.DryRun, Generation: "1",
		Triggers: []engine.Trigger{{Name: "tick", Every: 10 * time.Second}}, Primitives: []string{"webhook"},
		Params: map[string]any{"bound": 100.0},
	}
	for i := range n {
		f.targets = append(f.targets, engine.Target{Namespace: "ns", Name: fmt.Sprintf("t%05d", i), Labels: map[string]string{"tier": "gold"}})
	}
	spec.Fleet = engine.StaticFleet(f.targets)
	for m := range fleetSignals {
		sensor, err := sensors.Kinds["prometheus"].New(&sensors.PrometheusConfig{
			Query: fmt.Sprintf("m%d", m), Match: map[string]string{"namespace": "namespace", "deployment": "name"},
		}, sensors.Env{Prometheus: api.URL})
		require.NoError(tb, err)
		spec.Sensors = append(spec.Sensors, engine.SensorSpec{Name: fmt.Sprintf("m%d", m), Sensor: sensor, Timeout: 30 * time.Second})
	}
	files := fstest.MapFS{}
	for i := range fleetStrategies {
		files[fmt.Sprintf("s%d.rego", i)] = &fstest.MapFile{Data: []byte(strategyText(i))}
		spec.Strategies = append(spec.Strategies, fmt.Sprintf("fleet.s%d", i))
	}
	store := policy.NewStore(source.FromFS(files), policy.StoreOptions{})
	require.NoError(tb, store.Load(context.Background()))
	f.journal, err = journal.Open(context.Background(), tb.TempDir(), journal.Options{})
	require.NoError(tb, err)
	f.host = loop.New(loop.Config{Clock: f.clock, Journal: f.journal, Policies: store, Observer: f, Verbs: func(*queue.Router) map[string]engine.Verb { return actuators.Offer(actuators.Env{}) }})
	tb.Cleanup(func() {
		f.host.Close()
		api.Close()
		require.NoError(tb, f.journal.Close())
		require.NoError(tb, f.prom.Close())
	})
	f.write(0)
	f.host.Apply([]engine.Spec{spec})
	f.wait()
	return f
}

func (f *fleet) Fired(r engine.FiringRecord) { f.fired <- r }
func (f *fleet) Acted(a engine.Act)          { f.acted <- a }

// write gives every target a new sample of every metric, above the bound for the
// first busy ones, with a value that differs from the last time.
func (f *fleet) write(busy int) {
	f.turn++
	at := f.clock.Now()
	if f.samples == nil { // once: the labels of 50,000 series are not the agent's cost
		for m := range fleetSignals {
			for i := range f.targets {
				f.samples = append(f.samples, promengine.Sample{Labels: map[string]string{
					"__name__": fmt.Sprintf("m%d", m), "namespace": "ns", "deployment": f.targets[i].Name,
				}})
			}
		}
	}
	for i := range f.samples {
		f.samples[i].At, f.samples[i].Value = at, 1
		if i%len(f.targets) < busy {
			f.samples[i].Value = 100 + float64(f.turn)
		}
	}
	require.NoError(f.tb, f.prom.Append(context.Background(), f.samples))
}

// wait is for a firing and for all of its acts.
func (f *fleet) wait() engine.FiringRecord {
	r := <-f.fired
	require.Empty(f.tb, r.Problems)
	for range r.Decisions {
		<-f.acted
	}
	return r
}

// One query serves the fleet (never 9), a quiet firing costs one row, and only
// what changed is evaluated.
func TestAFleetIsSampledByOneQueryASignal(t *testing.T) {
	f := newFleet(t, 300)
	reader, err := f.journal.Reader()
	require.NoError(t, err)
	before, err := reader.Stats(t.Context())
	require.NoError(t, err)
	f.queries.Store(0)
	f.clock.Advance(10 * time.Second)
	r := f.wait()
	require.EqualValues(t, fleetSignals, f.queries.Load())
	require.Equal(t, 300*fleetSignals, r.Signals[engine.OK])
	require.Equal(t, 0, r.Evaluated)
	after, err := reader.Stats(t.Context())
	require.NoError(t, err)
	before.Firings++
	require.Equal(t, before, after)

	f.clock.Advance(5 * time.Second)
	f.write(3)
	f.clock.Advance(5 * time.Second)
	r = f.wait()
	require.Equal(t, 3, r.Evaluated)
	require.Len(t, r.Decisions, 3*fleetStrategies)
}

// BenchmarkFleetTick is a whole tick over 10,000 targets with 10 strategies and 5
// signals, 1% of them busy: sample from a real Prometheus engine over loopback,
// decide, arbitrate, journal with intents and outcomes.
func BenchmarkFleetTick(b *testing.B) {
	LimitMemory() // as the daemon does
	f := newFleet(b, 10000)
	var worst, total time.Duration
	f.queries.Store(0)
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		f.clock.Advance(9 * time.Second)
		f.write(100)
		runtime.GC()
		b.StartTimer()
		begin := time.Now()
		f.clock.Advance(time.Second)
		r := f.wait()
		took := time.Since(begin)
		total += took
		worst = max(worst, took)
		if r.Evaluated != 100 || len(r.Decisions) != 100*fleetStrategies {
			b.Fatalf("evaluated %d, decided %d", r.Evaluated, len(r.Decisions))
		}
	}
	b.StopTimer()
	b.ReportMetric(total.Seconds()/float64(b.N), "s/tick")
	b.ReportMetric(worst.Seconds(), "s/worst")
	b.ReportMetric(float64(f.queries.Load())/float64(b.N), "queries/tick")
	b.ReportMetric(float64(resident(b))/(1<<20), "MiB-peak")
}

// BenchmarkQuietTarget measures the cost per tick of a target for which nothing changed that
// its strategies read: the difference between a fleet of 10,000 and one of 100, without any
// sensor.
func BenchmarkQuietTarget(b *testing.B) {
	tick := func(n int) time.Duration {
		f := quietFleet(b, n)
		begin := time.Now()
		const ticks = 50
		for range ticks {
			f.clock.Advance(10 * time.Second)
			if r := <-f.fired; r.Evaluated != 0 {
				b.Fatalf("evaluated %d", r.Evaluated)
			}
		}
		return time.Since(begin) / ticks
	}
	var each float64
	for range b.N {
		small, large := tick(100), tick(10100)
		each = float64((large - small).Nanoseconds()) / 10000
	}
	b.ReportMetric(each/1000, "us/target")
}

// constant is a sensor that always sees the same.
type constant struct{}

func (constant) Sample(_ context.Context, at time.Time, fleet []engine.Target) (engine.Reading, error) {
	out := make(engine.Reading, len(fleet))
	for i := range out {
		out[i] = engine.Signal{State: engine.OK, Value: 1.0, At: at}
	}
	return out, nil
}

func quietFleet(tb testing.TB, n int) *fleet {
	f := newFleet(tb, 1)
	spec := engine.Spec{
		AgentInfo: engine.AgentInfo{Namespace: "fleet", Name: "planner"}, Generation: "2", Triggers: []engine.Trigger{{Every: 10 * time.Second}},
		Params: map[string]any{"bound": 100.0},
	}
	for i := range n {
		f.targets = append(f.targets, engine.Target{Namespace: "ns", Name: fmt.Sprintf("q%05d", i), Labels: map[string]string{"tier": "gold"}})
	}
	spec.Fleet = engine.StaticFleet(f.targets[1:])
	for m := range fleetSignals {
		spec.Sensors = append(spec.Sensors, engine.SensorSpec{Name: fmt.Sprintf("m%d", m), Sensor: constant{}})
	}
	for i := range fleetStrategies {
		spec.Strategies = append(spec.Strategies, fmt.Sprintf("fleet.s%d", i))
	}
	f.host.Apply([]engine.Spec{spec})
	<-f.fired
	return f
}

// resident is the peak resident set of this process, in bytes.
func resident(tb testing.TB) int64 {
	raw, err := os.ReadFile("/proc/self/status")
	require.NoError(tb, err)
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			require.NoError(tb, err)
			return kb << 10
		}
	}
	return 0
}

package mlflowtest

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators"
	verb "github.com/scanflow-k8s/scanflow/actuators/mlflow"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
	"github.com/scanflow-k8s/scanflow/engine/loop"
	"github.com/scanflow-k8s/scanflow/engine/policy"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
	"github.com/scanflow-k8s/scanflow/engine/queue"
	"github.com/scanflow-k8s/scanflow/sensors"
)

// executing promotes the versions that events request, and rolls back versions that serve badly;
// listening calls a webhook for their events.
const executing = `package scanflow.strategies.t.executing

propose contains p if {
	input.trigger.event.type == "promote"
	p := {
		"primitive": "model.promote", "with": {"model": "digits", "version": input.trigger.event.data.version},
		"reason": "asked", "because": [],
	}
}

propose contains p if {
	input.signals.production.value.metrics.accuracy < 0.5
	p := {
		"primitive": "model.rollback", "with": {"model": "digits", "reason": "accuracy_below_half"},
		"reason": "bad", "because": ["production"],
	}
}

propose contains p if {
	input.signals.newest.value.tags.seen != "yes"
	p := {
		"primitive": "run.tag", "with": {"run_id": input.signals.newest.value.run_id, "key": "seen", "value": "yes"},
		"reason": "new", "because": ["newest"],
	}
}
`

const listening = `package scanflow.strategies.t.listening

propose contains p if {
	startswith(input.trigger.event.type, "dev.scanflow.model.")
	p := {
		"primitive": "webhook", "with": {"url": input.params.hook, "body": {"type": input.trigger.event.type, "version": input.trigger.event.data.version}},
		"reason": "told", "because": [],
	}
}
`

// process is a running engine with the real journal, policies, sensor and verbs, on
// the world's tracker.
type process struct {
	*world
	dir     string
	journal *journal.Journal
	manager *loop.Manager
	acted   chan engine.Act
	specs   []engine.Spec
}

func (p *process) Fired(engine.FiringRecord) {}
func (p *process) Acted(a engine.Act)        { p.acted <- a }

func newProcess(t *testing.T) *process {
	p := &process{world: newWorld(t), dir: t.TempDir()}
	event := func(types ...string) engine.Trigger {
		return engine.Trigger{Name: "event", Event: &engine.EventFilter{Types: types}}
	}
	base := engine.Spec{Mode: engine.Enforce, Fleet: engine.StaticFleet{target("digits")}, Generation: "1", Params: map[string]any{}}
	executor, listener := base, base
	executor.AgentInfo = engine.AgentInfo{Namespace: "ns", Name: "executor"}
	executor.Triggers = []engine.Trigger{{Name: "tick", Every: 10 * time.Second}, event("promote")}
	executor.Strategies, executor.Primitives = []string{"t.executing"}, []string{"model.promote", "model.rollback", "run.tag"}
	executor.Sensors = []engine.SensorSpec{
		{Name: "production", Sensor: p.sensor(&sensors.MLflowConfig{Model: &sensors.MLflowModel{Name: "digits", Alias: "production"}})},
		{Name: "newest", Sensor: p.sensor(&sensors.MLflowConfig{Runs: &sensors.MLflowRuns{Experiment: "digits", Take: "run", Filter: "tags.seen = 'no'"}})},
	}
	listener.AgentInfo = engine.AgentInfo{Namespace: "ns", Name: "listener"}
	listener.Triggers = []engine.Trigger{event("dev.scanflow.model.promoted", "dev.scanflow.model.rolledback")}
	listener.Strategies, listener.Primitives = []string{"t.listening"}, []string{"webhook"}
	p.specs = []engine.Spec{executor, listener}
	t.Cleanup(func() { p.stop() })
	return p
}

// deliverer delivers the calls of webhook.
type deliverer struct{ *actuators.WebhookClient }

func (c deliverer) Deliver(ctx context.Context, to engine.Destination, events []engine.Event) ([]engine.Receipt, error) {
	status, err := c.Call(ctx, events[0], to.URL)
	return []engine.Receipt{{ID: events[0].ID, Source: events[0].Source, Verdict: engine.Accepted, Why: status}}, err
}

// run starts the process; stop ends it.
func (p *process) run(hook string) {
	p.t.Helper()
	policies := policy.NewStore(source.FromFS(fstest.MapFS{"e.rego": {Data: []byte(executing)}, "l.rego": {Data: []byte(listening)}}), policy.StoreOptions{})
	require.NoError(p.t, policies.Load(p.t.Context()))
	var err error
	p.journal, err = journal.Open(context.Background(), p.dir, journal.Options{Clock: p.clock})
	require.NoError(p.t, err)
	p.acted = make(chan engine.Act, 100)
	p.manager = loop.New(loop.Config{
		Clock: p.clock, Journal: p.journal, Policies: policies, Observer: p, Deliverer: deliverer{actuators.NewWebhookClient(nil, nil)},
		Verbs: func(r *queue.Router) map[string]engine.Verb {
			return actuators.Offer(actuators.Env{Call: r.Call, Publish: r.Publish, MLflow: p.c, Now: p.clock.Now})
		},
	})
	for i := range p.specs {
		p.specs[i].Params = map[string]any{"hook": hook}
	}
	p.manager.Apply(p.specs)
}

func (p *process) stop() {
	if p.manager == nil {
		return
	}
	done := make(chan struct{})
	go func() { defer close(done); p.manager.Close() }()
	for open := true; open; {
		select {
		case <-done:
			open = false
		case <-time.After(time.Millisecond): // lets grace periods and retries pass
			p.clock.Advance(time.Second)
		}
	}
	require.NoError(p.t, p.journal.Close())
	p.manager = nil
}

func (p *process) ask(id, version string) {
	p.t.Helper()
	require.NoError(p.t, p.manager.Router.Publish(p.ctx(), engine.Event{ID: id, Source: "/test", Type: "promote", Sender: "ns/planner", Time: p.clock.Now(), Data: map[string]any{"version": version}}))
}

// nextAct moves the clock until an act of a verb ends, and returns it.
func (p *process) nextAct(verb string) engine.Act {
	p.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		select {
		case a := <-p.acted:
			if a.Primitive == verb {
				return a
			}
			require.Equal(p.t, engine.Done, a.Outcome.Status, "%s: %s", a.Primitive, a.Outcome.Detail)
		case <-time.After(time.Millisecond):
			p.clock.Advance(100 * time.Millisecond)
		}
	}
	require.FailNow(p.t, "no act of "+verb+" has ended")
	return engine.Act{}
}

// outcome returns the outcome of an act from the journal.
func (p *process) outcome(identity string) engine.Outcome {
	p.t.Helper()
	reader, err := p.journal.Reader()
	require.NoError(p.t, err)
	rows, err := reader.Decisions(p.ctx(), journal.Filter{Identity: identity})
	require.NoError(p.t, err)
	require.Len(p.t, rows, 1)
	require.Equal(p.t, engine.Admitted, rows[0].Verdict)
	require.NotNil(p.t, rows[0].Outcome)
	return *rows[0].Outcome
}

// nextEvent moves the clock until the listener receives an event, and returns it.
func (p *process) nextEvent(hook chan string) string {
	p.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		select {
		case body := <-hook:
			return body
		case <-time.After(time.Millisecond):
			p.clock.Advance(100 * time.Millisecond)
		}
	}
	reader, err := p.journal.Reader()
	require.NoError(p.t, err)
	rows, err := reader.Decisions(p.ctx(), journal.Filter{Limit: 5})
	require.NoError(p.t, err)
	require.FailNow(p.t, "the listener received nothing", "%+v", rows)
	return ""
}

func TestAnAgentPromotesAndRollsBack(t *testing.T) {
	p := newProcess(t)
	p.versions("digits", 2)
	p.alias("digits", "production", "1")
	fresh := p.run0("digits", map[string]string{"seen": "no"})
	hook := make(chan string, 100)
	url := listen(t, hook)
	p.run(url)

	tag := p.nextAct("run.tag")
	require.Equal(t, engine.Done, tag.Outcome.Status, tag.Outcome.Detail)
	run, err := p.c.Run(p.ctx(), fresh)
	require.NoError(t, err)
	require.Equal(t, "yes", run.Tags["seen"])

	p.ask("1", "2")
	act := p.nextAct("model.promote")
	require.Equal(t, engine.Outcome{Status: engine.Done, Detail: "digits: production 1 -> 2", Applied: true}, p.outcome(act.Identity))
	require.Equal(t, "model/digits", act.Claim)
	require.Equal(t, "digits: production 1 -> 2", act.Change.Diff)
	require.JSONEq(t, `{"type": "dev.scanflow.model.promoted", "version": "2"}`, p.nextEvent(hook))
	require.Equal(t, map[string]string{"production": "2", "previous": "1"}, p.registry("digits").Aliases)

	two, err := p.c.Version(p.ctx(), "digits", "2")
	require.NoError(t, err)
	p.measure(two.RunID, 0.3)
	back := p.nextAct("model.rollback")
	require.Equal(t, engine.Outcome{Status: engine.Done, Detail: "digits: production 2 -> 1", Applied: true}, p.outcome(back.Identity))
	require.JSONEq(t, `{"type": "dev.scanflow.model.rolledback", "version": "1"}`, p.nextEvent(hook))
	require.Equal(t, map[string]string{"production": "1"}, p.registry("digits").Aliases)
	require.Equal(t, "accuracy_below_half", p.registry("digits").Tags["2"][verb.TagRolledBackReason])
}

// An accepted request is carried out and its event published, even if the process ended during
// it: the event that requested it is not sent again.
func TestAPromotionCutOffByTheEndOfTheProcessIsCarriedOutByTheNext(t *testing.T) {
	for _, row := range []struct {
		write      int // at which the tracker is gone
		carriedOut bool
		production string
	}{{1, false, "1"}, {2, false, "1"}, {3, false, "1"}, {3, true, "2"}} {
		t.Run(fmt.Sprint(row), func(t *testing.T) {
			p := newProcess(t)
			p.versions("digits", 2)
			p.alias("digits", "production", "1")
			hook := make(chan string, 100)
			url := listen(t, hook)
			writes := 0
			reached := make(chan struct{}, 100)
			p.setFault(func(_ http.ResponseWriter, r *http.Request, next http.Handler) bool {
				if writes < row.write && !isWrite(r) { // from then on it can't even be read
					return false
				}
				if writes++; writes < row.write {
					return false
				}
				if writes == row.write && row.carriedOut {
					next.ServeHTTP(httptest.NewRecorder(), r)
				}
				reached <- struct{}{}
				panic(http.ErrAbortHandler)
			})
			p.run(url)
			p.ask("1", "2")
			<-reached
			p.stop()
			p.setFault(nil)
			require.Equal(t, row.production, p.registry("digits").Aliases["production"])

			p.run(url)
			act := p.nextAct("model.promote")
			require.Equal(t, engine.Done, act.Outcome.Status, act.Outcome.Detail)
			require.Equal(t, map[string]string{"production": "2", "previous": "1"}, p.registry("digits").Aliases)
			require.Contains(t, p.nextEvent(hook), "promoted")
			require.Empty(t, hook)
		})
	}
}

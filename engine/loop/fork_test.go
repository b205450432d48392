package loop_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/loop"
	"github.com/scanflow-k8s/scanflow/engine/turn"
)

// leaving proposes with a note that it counts on, and a mark that a sensor counts from.
const leaving = `package scanflow.strategies.t.leaving

propose contains p if {
	note := object.get(input.memory, ["t.leaving", "note"], 0)
	input.signals.calls.value > 2
	p := {"primitive": "hook", "with": {"n": note}, "priority": note, "reason": "calls", "because": ["calls"], "note": note + 1, "marks": ["hooked"]}
}
`

// countingSensor is a sensor whose samples depend on earlier ones: it counts them.
type countingSensor struct {
	mu sync.Mutex
	n  float64
}

func (c *countingSensor) Sample(_ context.Context, _ time.Time, fleet []engine.Target) (engine.Reading, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	out := make(engine.Reading, len(fleet))
	for i := range out {
		out[i] = engine.Signal{State: engine.OK, Value: c.n}
	}
	return out, nil
}

func (c *countingSensor) Fork() engine.Sensor {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &countingSensor{n: c.n}
}

func forkSpecs(b *bench) []engine.Spec {
	bounded := b.spec(func(s *engine.Spec) {
		s.Name, s.Strategies = "bounded", []string{"t.scaling", "t.leaving"}
		above := 15.0
		s.Sensors[0].Sustained = &engine.SustainedSpec{Over: 12 * time.Second, Above: &above}
		s.Sensors = append(s.Sensors, engine.SensorSpec{Name: "calls", Sensor: &countingSensor{}, Since: "hooked"})
		s.Guards = engine.Guards{
			Replicas: &engine.ReplicaGuard{Min: 1, Max: 6, StepUp: 2}, Cooldown: map[string]time.Duration{"up": 15 * time.Second, "down": 40 * time.Second, "hook": 20 * time.Second},
			Budget: &engine.BudgetGuard{Actions: 4, Per: 2 * time.Minute}, Fleet: &engine.FleetGuard{Targets: 2, Per: 30 * time.Second}, Hold: time.Minute,
		}
	})
	asking := b.spec(func(s *engine.Spec) {
		s.Name, s.Guards = "asking", engine.Guards{Approval: []string{"scale"}, Cooldown: map[string]time.Duration{"down": time.Minute}}
	})
	return []engine.Spec{asking, bounded}
}

// history runs agents over the same random loads, and returns their turns. What between does
// happens before each turn. Of two agents, either may be the first to take a claim.
func history(t *testing.T, between func(b *bench), agents ...string) (out []engine.FiringRecord) {
	b := newBench(t, leaving)
	random := rand.New(rand.NewPCG(1, 2))
	targets := []string{"web", "api", "db"}
	for _, name := range targets {
		b.world.set(name, 1)
		b.load.setValue(name, 10)
	}
	b.run(slices.DeleteFunc(forkSpecs(b), func(s engine.Spec) bool { return !slices.Contains(agents, s.String()) })...)
	take := func() {
		acts := 0
		for range agents {
			f := b.next()
			out = append(out, f)
			acts += len(f.Intents)
		}
		for range acts {
			b.nextAct()
		}
	}
	take()
	for range 40 {
		for _, name := range targets {
			switch random.IntN(6) {
			case 0:
				b.load.set(name, engine.Signal{State: engine.Empty})
			case 1:
			default:
				b.load.setValue(name, float64(random.IntN(90)))
			}
		}
		if random.IntN(4) == 0 {
			b.world.set(targets[random.IntN(3)], 1+random.IntN(5))
		}
		b.world.mu.Lock()
		b.world.fail = nil
		if random.IntN(5) == 0 {
			b.world.fail = errors.New("no room")
		}
		b.world.mu.Unlock()
		b.clock.Advance(4 * time.Second)
		between(b)
		for _, name := range targets {
			if random.IntN(6) == 0 {
				b.load.set(name, engine.Signal{State: engine.Empty})
			}
		}
		b.clock.Advance(6 * time.Second)
		take()
	}
	return out
}

// The turns of an agent are the same with and without previews before them: signals, memory,
// notes, marks, cooldowns, budgets, claims, approvals.
func TestPreviewsLeaveTheTurnsAsTheyAre(t *testing.T) {
	for _, agent := range []string{"ns/bounded", "ns/asking"} {
		t.Run(agent, func(t *testing.T) {
			alone := withoutIDs(t, history(t, func(*bench) {}, agent))
			previews := 0
			beside := withoutIDs(t, history(t, func(b *bench) {
				for range 2 {
					p, _, err := b.manager.Preview(t.Context(), agent)
					require.NoError(t, err)
					require.Len(t, p.Documents, 3)
					previews += len(p.Decisions)
				}
			}, agent))
			require.NotZero(t, previews)
			require.Len(t, beside, len(alone))
			for i := range alone {
				require.Equal(t, alone[i], beside[i], "turn %d", i)
			}
		})
	}
}

// withoutIDs returns the turns as JSON, without what differs from run to run: ids, which derive
// from the journal's, and the times that the turns took.
func withoutIDs(t *testing.T, turns []engine.FiringRecord) (out []string) {
	for _, f := range turns {
		f.Took, f.Lag, f.Policy = 0, 0, engine.PolicyInfo{}
		raw, err := json.Marshal([]any{f, f.Decisions, f.Intents, f.Notes, f.Approvals, f.Standing, f.Unhealthy})
		require.NoError(t, err)
		out = append(out, regexp.MustCompile(`\b[0-9a-f]{10,}(-[0-9]+)?\b`).ReplaceAllStringFunc(string(raw), func(id string) string {
			if len(id) == 10 || strings.ContainsAny(id, "abcdef") { // those of approvals have 10
				return "ID"
			}
			return id // a number
		}))
	}
	return out
}

// A preview decides as the daemon's policies do on its memory, claims and cooldowns; and so does
// another process on the state and documents that it returns.
func TestAPreviewDecidesAsTheNextTurn(t *testing.T) {
	verdicts := map[string]int{}
	history(t, func(b *bench) {
		for _, name := range []string{"ns/asking", "ns/bounded"} {
			p, state, err := b.manager.Preview(t.Context(), name)
			require.NoError(t, err)
			raw, err := json.Marshal(state)
			require.NoError(t, err)
			var sent turn.State
			require.NoError(t, json.Unmarshal(raw, &sent))
			docs := make([]*engine.Document, len(p.Documents))
			for i := range docs {
				docs[i], err = engine.ReadDocument(p.Documents[i])
				require.NoError(t, err)
			}
			elsewhere, err := loop.PreviewState(t.Context(), loop.Config{Policies: b.policies, Verbs: b.manager.Verbs, Clock: b.clock}, &sent, docs...)
			require.NoError(t, err)
			text := func(list []engine.Decision) (out []string) {
				for _, d := range list {
					if d.By == "claims" { // the text of one from elsewhere does not say why it is held so long
						d.Detail = ""
					}
					out = append(out, fmt.Sprintf("%s %s %v %s %s %s", d.Target, d.Primitive, d.With, d.Verdict, d.By, d.Detail))
				}
				return out
			}
			require.Equal(t, text(p.Decisions), text(elsewhere.Decisions))
			for _, d := range p.Decisions {
				verdicts[string(d.Verdict)+" "+d.By]++
			}
		}
	}, "ns/asking", "ns/bounded")
	for _, want := range []string{"admitted ", "waiting guards.approval", "refused guards.cooldown", "refused guards.budget", "refused guards.fleet", "refused claims"} {
		require.NotZero(t, verdicts[want], "%s is among %v", want, verdicts)
	}
}

func TestWhyNoPreviewIsMade(t *testing.T) {
	b := newBench(t)
	b.world.set("web", 1)
	_, _, err := b.manager.Preview(t.Context(), "ns/planner")
	require.ErrorIs(t, err, loop.ErrNoAgent)

	release := make(chan struct{})
	hung := &hangingSensor{release: release, entered: make(chan struct{}, 10)}
	b.run(b.spec(func(s *engine.Spec) {
		s.Sensors = append(s.Sensors, engine.SensorSpec{Name: "slow", Sensor: hung, Timeout: time.Minute})
	}))
	receive(t, hung.entered)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, _, err = b.manager.Preview(ctx, "ns/planner")
	require.ErrorIs(t, err, loop.ErrPreviewBusy)
	require.ErrorContains(t, err, "the agent is in the middle of a turn")
	close(release)
	b.next()
}

// hangingSensor does not return before it is released.
type hangingSensor struct {
	release, entered chan struct{}
}

func (h *hangingSensor) Sample(_ context.Context, _ time.Time, fleet []engine.Target) (engine.Reading, error) {
	h.entered <- struct{}{}
	<-h.release
	return make(engine.Reading, len(fleet)), nil
}

package turn

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/claim"
	"github.com/scanflow-k8s/scanflow/engine/policy"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

const randomLib = `package scanflow.lib.r

value(name) := input.signals[name].value

of(signal) := signal.state

ready(target) := target.replicas.ready

noted(memory, name) := memory[name].note

whole(x) := count(x)

broken(x) := 1 if x > 1

broken(x) := 2 if x > 2
`

// randomReads are expressions that read one part of the document each, in the ways that a
// policy may.
var randomReads = []string{
	`input.signals.a.value`, `input.signals.b.value`, `input.signals.c.value`, `input.signals.a.state`, `input.signals.b.state`, `input.signals.c.last`,
	`input.signals.a.window`, `input.signals.b.since_ns`, `input.signals.a.age_ns`, `count(input.signals.c)`, `r.value("a")`, `r.of(input.signals.b)`,
	`object.get(input.signals, ["a", "value"], -1)`, `input.signals.b.value.p50`,
	`input.target.replicas.desired`, `input.target.replicas.ready`, `input.target.replicas`, `input.target.labels.x`, `input.target.labels`, `input.target.placement`,
	`input.target.model`, `input.target.apiVersion`, `count(input.target)`, `r.ready(input.target)`, `input.target.name`, `input.target[input.params.field]`,
	`input.memory["t.s0"].note`, `input.memory["t.s1"].last.scale.at_ns`, `object.get(input.memory, "t.s2", "none")`, `count(input.memory)`, `r.noted(input.memory, "t.s1")`,
	`[n | some n; input.memory[n].note]`, `input.memory["t.s0"].remembered`,
	`input.claims.replicas.agent`, `[c | some c, _ in input.claims]`, `count(input.claims)`, `object.get(input.claims, "traffic", "none")`, `r.whole(input.claims)`,
	`input.trigger.kind`, `input.trigger.event.data.x`, `input.now_ns`, `input.params.p`,
	`r.broken(input.signals.a.value)`, `r.broken(input.target.replicas.desired)`,
}

func oneOf[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// randomRule is a rule whose proposal shows what it read.
func randomRule(r *rand.Rand, reads []string, i int) string {
	expr := func() string { return oneOf(r, reads) }
	condition := oneOf(r, []string{"true", expr(), "not " + expr(), "v := " + expr() + "\n\tv != 2", "t := input.target\n\tm := input.memory\n\tt.replicas.desired > count(m)"})
	with := fmt.Sprintf(`{"v": [x | x := %s], "w": [x | x := %s]}`, expr(), expr())
	priority := oneOf(r, []string{"1", "2", "1", "1", "object.get(input.signals, [\"c\", \"value\"], 1)"})
	return fmt.Sprintf(`# METADATA
# title: rule %d
propose contains {"primitive": %q, "with": %s, "priority": %s, "reason": "r", "because": ["a", "b", "c"]} if {
	r.whole([]) == 0
	%s
}

`, i, oneOf(r, []string{"scale", "restart", "nobody"}), with, priority, condition)
}

func randomPolicies(t *rapid.T, r *rand.Rand) source.Source {
	files := fstest.MapFS{"r.rego": {Data: []byte(randomLib)}, "g.rego": {Data: []byte("package scanflow.guards.g\n\ndeny contains \"odd\" if input.target.replicas.desired == 3\n")}}
	for i := range 6 {
		reads := []string{oneOf(r, randomReads), oneOf(r, randomReads)} // few, so that most changes concern no other
		var text strings.Builder
		fmt.Fprintf(&text, "package scanflow.strategies.t.s%d\n\nimport data.scanflow.lib.r\n\n", i)
		for j := range 1 + r.IntN(2) {
			text.WriteString(randomRule(r, reads, j))
		}
		files[fmt.Sprintf("s%d.rego", i)] = &fstest.MapFile{Data: []byte(text.String())}
	}
	src, err := source.ReadFS(files)
	require.NoError(t, err)
	return src
}

// side is one of two agents that see the same, with policies of its own: how often a strategy
// failed is a part of these.
type side struct {
	agent     *Agent
	revisions []engine.Revision
	always    bool // every strategy is evaluated each time
	ran       int
}

func newSide(t *rapid.T, sources []source.Source, always bool) *side {
	s := &side{always: always}
	spec := engine.Spec{AgentInfo: engine.AgentInfo{Namespace: "ns", Name: "a"}, Primitives: []string{"scale", "restart"}, Params: map[string]any{"p": 1.0, "field": "model"}}
	for i := range 6 {
		spec.Strategies = append(spec.Strategies, fmt.Sprintf("t.s%d", (i*5+3)%6)) // not sorted
	}
	spec.Strategies = append(spec.Strategies, "t.unknown")
	for _, name := range []string{"a", "b", "c"} {
		spec.Sensors = append(spec.Sensors, engine.SensorSpec{Name: name})
	}
	claimed := func(name string) func(map[string]any) string { return func(map[string]any) string { return name } }
	verbs := map[string]engine.Verb{"scale": {Claim: claimed("replicas")}, "restart": {Claim: claimed("pods")}}
	s.agent = NewAgent(spec, verbs, &claim.View{Shared: claim.NewTable(), DryRun: claim.NewTable(), Remote: &claim.Remote{}})
	for _, src := range sources {
		rev, err := policy.Compile(context.Background(), src, policy.Options{Deadline: time.Minute})
		require.NoError(t, err)
		s.revisions = append(s.revisions, rev)
	}
	return s
}

// moment has the inputs of both sides.
type moment struct {
	now      time.Time
	revision int
	target   engine.Target
	signals  []engine.Signal
	claims   []engine.Claim
	trigger  engine.TriggerInfo
	note     *engine.Note
}

// change changes one part of what is seen.
func (m *moment) change(r *rand.Rand) {
	m.now, m.note, m.trigger.Event = m.now.Add(time.Second), nil, nil
	number := func() float64 { return float64(r.IntN(4)) }
	i := r.IntN(3)
	switch oneOf(r, []string{"nothing", "signal", "signal", "value", "value", "map", "window", "since", "replicas", "ready", "labels", "placement", "model", "version", "claims", "note", "trigger", "event", "revision"}) {
	case "signal":
		m.signals[i] = engine.Signal{State: oneOf(r, engine.States), Value: number(), Last: number()}
	case "value":
		m.signals[i].Value = number()
	case "map":
		m.signals[i] = engine.Signal{State: engine.OK, Value: map[string]any{"p50": number()}}
	case "window":
		m.signals[i].Window = time.Duration(number())
	case "since":
		m.signals[i].Since = m.now
	case "replicas":
		m.target.Replicas = oneOf(r, []*engine.Replicas{nil, {Desired: 1}, {Desired: 2, Ready: 1}, {Desired: 3, Ready: 3}})
	case "ready":
		if was := m.target.Replicas; was != nil {
			m.target.Replicas = &engine.Replicas{Desired: was.Desired, Ready: int(number())}
		}
	case "labels":
		m.target.Labels = oneOf(r, []map[string]string{nil, {}, {"x": "1"}, {"x": "2", "y": "1"}})
	case "placement":
		m.target.Placement = oneOf(r, [][]string{nil, {}, {"n1"}, {"n1", "n2"}})
	case "model":
		m.target.Model = oneOf(r, []string{"", "m1", "m2"})
	case "version":
		m.target.APIVersion = oneOf(r, []string{"apps/v1", "apps/v2"})
	case "claims":
		m.claims = oneOf(r, [][]engine.Claim{nil, {{Name: "replicas", Agent: "x"}}, {{Name: "replicas", Agent: "y"}, {Name: "traffic", Agent: "x"}}})
	case "note":
		m.note = &engine.Note{Target: m.target.ID(), Strategy: fmt.Sprintf("t.s%d", i), Value: number()}
	case "trigger":
		m.trigger = engine.TriggerInfo{Name: "nightly", Kind: oneOf(r, []string{"cron", "every"})}
	case "event":
		m.trigger = engine.TriggerInfo{Name: "asked", Kind: "event", Event: &engine.Event{ID: fmt.Sprint(m.now.UnixNano()), Data: map[string]any{"x": number()}}}
	case "revision":
		m.revision = 1 - m.revision
	}
}

// see evaluates, and returns the answers.
func (s *side) see(t *rapid.T, m *moment) answers {
	if m.note != nil {
		s.agent.Memory.Keep([]engine.Note{*m.note})
	}
	trigger := m.trigger
	o := s.agent.Observe(Input{ID: fmt.Sprint(m.now.UnixNano()), Now: m.now, Trigger: trigger, Revision: s.revisions[m.revision], Fleet: []engine.Target{m.target},
		Readings: []engine.Reading{{{}}, {{}}, {{}}}, Errs: make([]error, 3)})
	target := o.targets[0]
	copy(target.doc.Signals, m.signals)
	target.doc.Claims = m.claims
	if s.always {
		target.reads = nil
	}
	e := o.Evaluate(t.Context(), Serial)
	s.ran += e.rec.Evaluations
	out := answers{Problems: target.problems, Rules: target.rules, Firing: e.rec.Problems, Failed: e.failed}
	for _, p := range target.proposals {
		p.Target, p.Agent = engine.Target{}, "" // each decision sets them
		out.Proposals = append(out.Proposals, p)
	}
	for _, c := range e.candidates {
		out.Decisions = append(out.Decisions, c.decision)
	}
	return out
}

type answers struct {
	Proposals []engine.Proposal
	Problems  []engine.Problem
	Rules     map[string][]string
	Decisions []engine.Decision
	Firing    []string
	Failed    string
}

// An agent that evaluates only the strategies whose inputs changed answers as one that
// evaluates all of them each time, whatever the policies read and whatever changes.
func TestChangedStrategiesGiveTheAnswersOfAll(t *testing.T) {
	always, changed, proposals, problems := 0, 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		// Draws of rapid prefer what is first in a list, so they give only the seed.
		r := rand.New(rand.NewChaCha8([32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seed"))))
		sources := []source.Source{randomPolicies(t, r), randomPolicies(t, r)}
		all, some := newSide(t, sources, true), newSide(t, sources, false)
		m := &moment{
			now: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), trigger: engine.TriggerInfo{Name: "tick", Kind: "every"},
			target:  engine.Target{Kind: "Deployment", Namespace: "ns", Name: "web", Replicas: &engine.Replicas{Desired: 1}},
			signals: []engine.Signal{{State: engine.OK, Value: 1.0}, {State: engine.OK, Value: 1.0}, {State: engine.Empty}},
		}
		for range rapid.IntRange(5, 40).Draw(t, "steps") {
			want, got := all.see(t, m), some.see(t, m)
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Fatal(diff)
			}
			proposals, problems = proposals+len(got.Proposals), problems+len(got.Problems)
			m.change(r)
		}
		always, changed = always+all.ran, changed+some.ran
	})
	t.Logf("%d evaluations against %d; %d proposals, %d problems", changed, always, proposals, problems)
	require.Less(t, 5*changed, 4*always)
	require.Positive(t, proposals)
	require.Positive(t, problems)
}

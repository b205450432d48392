package turn

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/claim"
	"github.com/scanflow-k8s/scanflow/engine/policy"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

// tenStrategies drives turns of an agent with ten strategies over a fleet. Two of them read
// the load, which moves each time, the others a signal of their own, which does not.
type tenStrategies struct {
	tb     testing.TB
	agent  *Agent
	rev    engine.Revision
	fleet  []engine.Target
	turns  int
	always bool // every strategy is evaluated each time
}

func newTenStrategies(tb testing.TB, targets int, always bool) *tenStrategies {
	files := fstest.MapFS{}
	spec := engine.Spec{AgentInfo: engine.AgentInfo{Namespace: "ns", Name: "a"}, Primitives: []string{"scale"}, Params: map[string]any{"bound": 900.0},
		Sensors: []engine.SensorSpec{{Name: "load"}}}
	for i := range 10 {
		signal := "load"
		if i >= 2 {
			signal = fmt.Sprint("other", i)
			spec.Sensors = append(spec.Sensors, engine.SensorSpec{Name: signal})
		}
		spec.Strategies = append(spec.Strategies, fmt.Sprint("t.s", i))
		files[fmt.Sprintf("s%d.rego", i)] = &fstest.MapFile{Data: fmt.Appendf(nil, `package scanflow.strategies.t.s%d

propose contains {"primitive": "scale", "with": {"replicas": wanted}, "priority": %d, "reason": "load", "because": ["%s"]} if {
	wanted := ceil(input.signals.%[3]s.value / 10)
	wanted > input.target.replicas.desired
	input.target.labels.tier in {"gold", "silver"}
	input.signals.%[3]s.value < input.params.bound
}
`, i, i, signal)}
	}
	src, err := source.ReadFS(files)
	require.NoError(tb, err)
	rev, err := policy.Compile(context.Background(), src, policy.Options{})
	require.NoError(tb, err)
	verbs := map[string]engine.Verb{"scale": {Claim: func(map[string]any) string { return "replicas" }}}
	t := &tenStrategies{tb: tb, rev: rev, always: always}
	t.agent = NewAgent(spec, verbs, &claim.View{Shared: claim.NewTable(), DryRun: claim.NewTable(), Remote: &claim.Remote{}})
	for i := range targets {
		t.fleet = append(t.fleet, engine.Target{Namespace: "ns", Name: fmt.Sprintf("web-%03d", i), Labels: map[string]string{"tier": "gold"}, Replicas: &engine.Replicas{Desired: 4, Ready: 4}})
	}
	return t
}

func (t *tenStrategies) turn() engine.FiringRecord {
	now := time.Unix(int64(t.turns), 0)
	in := Input{ID: fmt.Sprint(t.turns), Now: now, Trigger: engine.TriggerInfo{Name: "tick", Kind: "every"}, Revision: t.rev, Fleet: t.fleet, Errs: make([]error, len(t.agent.names))}
	t.turns++
	for i := range t.agent.names {
		reading := make(engine.Reading, len(t.fleet))
		for j := range reading {
			reading[j] = engine.Signal{State: engine.OK, Value: 20.0, At: now}
			if i == 0 {
				reading[j].Value = float64(20 + (t.turns+j)%25)
			}
		}
		in.Readings = append(in.Readings, reading)
	}
	o := t.agent.Observe(in)
	if t.always {
		for _, s := range o.targets {
			s.reads = nil
		}
	}
	e := o.Evaluate(t.tb.Context(), Serial)
	require.Empty(t.tb, e.rec.Problems)
	return e.rec
}

func TestAMovingSignalCostsTheStrategiesThatReadIt(t *testing.T) {
	all, changed := newTenStrategies(t, 5, true), newTenStrategies(t, 5, false)
	require.Equal(t, 50, changed.turn().Evaluations, "the first turn")
	ran, always := 0, 0
	for range 20 {
		rec := changed.turn()
		require.Equal(t, 5, rec.Evaluated)
		ran, always = ran+rec.Evaluations, always+all.turn().Evaluations
	}
	require.Equal(t, 20*5*2, ran)
	require.GreaterOrEqual(t, always, 4*ran)
}

// BenchmarkChangedStrategies compares turns that evaluate the two strategies of ten that read
// what moved with turns that evaluate all ten.
func BenchmarkChangedStrategies(b *testing.B) {
	changed, all := newTenStrategies(b, 100, false), newTenStrategies(b, 100, true)
	var ratios []float64
	ran, always := 0, 0
	for b.Loop() {
		begun := time.Now()
		ran += changed.turn().Evaluations
		middle := time.Now()
		always += all.turn().Evaluations
		ratios = append(ratios, float64(time.Since(middle))/float64(middle.Sub(begun)))
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "x-faster")
	b.ReportMetric(float64(always)/float64(ran), "x-fewer-evaluations")
	b.ReportMetric(0, "ns/op")
}

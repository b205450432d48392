package policy

import (
	"math"
	"sync"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scanflow-k8s/scanflow/engine"
)

// A document is built by parts that are reused; it must always be the one that
// Document.Input describes, however the document got where it is.
func TestInputIsDocumentInput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p inputBuilder
		doc := &engine.Document{Now: noon}
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			change(t, doc)
			want, err := ast.InterfaceToValue(doc.Input())
			require.NoError(t, err)
			got, err := p.input(doc)
			require.NoError(t, err)
			require.Zero(t, got.Compare(want), "got %v\nwant %v", got, want)
			require.Equal(t, want.Hash(), got.Hash())
		}
	})
}

// change does to a document what the engine may do from one firing to the next.
func change(t *rapid.T, doc *engine.Document) {
	words := rapid.SampledFrom([]string{"", "a", "b", "scale", "traffic"})
	switch rapid.SampledFrom([]string{"now", "agent", "trigger", "params", "target", "labels", "replicas", "placement", "pods", "signals", "signal", "memory", "memory in place", "claims", "nothing"}).Draw(t, "change") {
	case "now":
		doc.Now = doc.Now.Add(time.Duration(rapid.Int64Range(-1e9, 1e12).Draw(t, "by")))
	case "agent":
		doc.Agent = &engine.AgentInfo{Name: words.Draw(t, "name"), Role: words.Draw(t, "role")}
		if rapid.Bool().Draw(t, "none") {
			doc.Agent = nil
		}
	case "trigger":
		doc.Trigger = &engine.TriggerInfo{Name: words.Draw(t, "name"), Kind: words.Draw(t, "kind")}
		if rapid.Bool().Draw(t, "event") {
			doc.Trigger.Event = &engine.Event{ID: words.Draw(t, "id"), Time: doc.Now, Data: anyJSON(t, 2)}
		}
	case "params":
		doc.Params = map[string]any{words.Draw(t, "key"): anyJSON(t, 2)}
	case "target":
		doc.Target = engine.Target{Kind: words.Draw(t, "kind"), Name: words.Draw(t, "name"), Model: words.Draw(t, "model")}
	case "labels":
		if doc.Target.Labels == nil {
			doc.Target.Labels = map[string]string{}
		}
		doc.Target.Labels[words.Draw(t, "label")] = words.Draw(t, "value")
	case "replicas":
		if doc.Target.Replicas == nil {
			doc.Target.Replicas = &engine.Replicas{}
		}
		doc.Target.Replicas.Ready = rapid.IntRange(-1, 99).Draw(t, "ready")
	case "placement":
		doc.Target.Placement = rapid.SliceOf(words).Draw(t, "nodes")
	case "pods":
		doc.Target.SetPods(rapid.SliceOfN(rapid.Custom(func(t *rapid.T) engine.TargetPod {
			return engine.TargetPod{Name: words.Draw(t, "pod"), Ready: rapid.Bool().Draw(t, "is ready"), Restarts: rapid.IntRange(0, 2).Draw(t, "restarts"), ReadySinceNS: rapid.Int64Range(0, 1).Draw(t, "since")}
		}), 0, 3).Draw(t, "pods"))
		if rapid.Bool().Draw(t, "unknown") {
			doc.Target.Pods = nil
		}
		doc.Target.PodsOmitted = rapid.IntRange(0, 1).Draw(t, "omitted")
	case "signals":
		doc.Names = rapid.SliceOfNDistinct(words, 0, 4, rapid.ID[string]).Draw(t, "names")
		doc.Signals = make([]engine.Signal, len(doc.Names))
		for i := range doc.Signals {
			doc.Signals[i] = anySignal(t, doc.Now)
		}
	case "signal":
		if n := len(doc.Signals); n > 0 {
			doc.Signals[rapid.IntRange(0, n-1).Draw(t, "which")] = anySignal(t, doc.Now)
		}
	case "memory":
		doc.Memory = engine.Memory{words.Draw(t, "strategy"): {Last: map[string]engine.LastAct{}, Note: anyJSON(t, 2)}}
	case "memory in place":
		for name, m := range doc.Memory {
			m.Last[words.Draw(t, "verb")] = engine.LastAct{AtNS: rapid.Int64().Draw(t, "at"), Outcome: engine.Done, With: map[string]any{"n": anyJSON(t, 1)}}
			doc.Memory[name] = m
		}
	case "claims":
		doc.Claims = nil
		for _, name := range rapid.SliceOfNDistinct(words, 0, 3, rapid.ID[string]).Draw(t, "claims") {
			doc.Claims = append(doc.Claims, engine.Claim{Name: name, Agent: words.Draw(t, "agent"), State: "running"})
		}
	}
}

func anySignal(t *rapid.T, now time.Time) engine.Signal {
	s := engine.Signal{State: rapid.SampledFrom(engine.States).Draw(t, "state"), Value: anyJSON(t, 2), Window: time.Duration(rapid.Int64Range(0, 1e12).Draw(t, "window"))}
	if rapid.Bool().Draw(t, "last") {
		s.Last = anyJSON(t, 2)
	}
	if rapid.Bool().Draw(t, "at") {
		s.At = now.Add(-time.Duration(rapid.Int64Range(0, 1e12).Draw(t, "age")))
	}
	if rapid.Bool().Draw(t, "has members") {
		s.Missing = rapid.MapOfN(rapid.String(), rapid.SampledFrom(engine.States[1:]), 0, 3).Draw(t, "missing")
	}
	if rapid.Bool().Draw(t, "is sustained") {
		span := rapid.Ptr(rapid.Map(rapid.Int64Range(0, math.MaxInt64), func(n int64) time.Duration { return time.Duration(n) }), true)
		s.Sustained = &engine.Sustained{Samples: rapid.IntRange(1, 99).Draw(t, "samples"), Span: time.Duration(rapid.Int64().Draw(t, "span")), Covered: rapid.Bool().Draw(t, "covered"), Above: span.Draw(t, "above"), Below: span.Draw(t, "below")}
		s.Sustained.Min, s.Sustained.Avg = rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64).Draw(t, "min"), rapid.Float64Range(-1, 1).Draw(t, "avg")
	}
	if rapid.Bool().Draw(t, "counts") {
		s.Since = now.Add(-time.Duration(rapid.Int64Range(0, 1e15).Draw(t, "since")))
	}
	return s
}

func anyJSON(t *rapid.T, depth int) any {
	kinds := []string{"null", "bool", "number", "string"}
	if depth > 0 {
		kinds = append(kinds, "list", "object")
	}
	switch rapid.SampledFrom(kinds).Draw(t, "kind") {
	case "bool":
		return rapid.Bool().Draw(t, "bool")
	case "number":
		return rapid.OneOf(rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64), rapid.Map(rapid.IntRange(-9, 9), func(i int) float64 { return float64(i) })).Draw(t, "number")
	case "string":
		return rapid.String().Draw(t, "string")
	case "list":
		out := make([]any, rapid.IntRange(0, 2).Draw(t, "len"))
		for i := range out {
			out[i] = anyJSON(t, depth-1)
		}
		return out
	case "object":
		out := map[string]any{}
		for range rapid.IntRange(0, 2).Draw(t, "len") {
			out[rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key")] = anyJSON(t, depth-1)
		}
		return out
	}
	return nil
}

// A strategy sees since when a signal counts, whatever its state, and nothing where it
// was never marked.
func TestAStrategySeesSinceWhenASignalCounts(t *testing.T) {
	rev := compiled(t, one("propose contains {\"primitive\": \"p\", \"reason\": \"r\", \"because\": [\"rps:empty\", \"errors\"], \"with\": {\"signal\": name, \"ns\": s}} if {\n\tsome name, s in {\"rps\": input.signals.rps.since_ns, \"errors\": object.get(input.signals, [\"errors\", \"since_ns\"], -1)}\n}"), Options{})
	for name, c := range map[string]struct {
		signal engine.Signal
		want   []map[string]any
	}{
		"counted":      {engine.Signal{State: engine.OK, Value: 5.0, At: noon, Since: noon.Add(-time.Hour)}, []map[string]any{{"signal": "errors", "ns": -1.0}, {"signal": "rps", "ns": float64(noon.Add(-time.Hour).UnixNano())}}},
		"empty":        {engine.Signal{State: engine.Empty, Since: noon}, []map[string]any{{"signal": "errors", "ns": -1.0}, {"signal": "rps", "ns": float64(noon.UnixNano())}}},
		"never marked": {engine.Signal{State: engine.OK, Value: 5.0, At: noon}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			doc := document(1)
			doc.Signals[0] = c.signal
			evaluated := rev.Evaluate(t.Context(), []string{"x"}, doc)
			require.Empty(t, problems(evaluated))
			var got []map[string]any
			for _, p := range evaluated.Proposals {
				got = append(got, p.With)
			}
			require.ElementsMatch(t, c.want, got)
		})
	}
}

func TestUnchangedSectionsAreReused(t *testing.T) {
	var p inputBuilder
	doc := document(1)
	_, err := p.input(doc)
	require.NoError(t, err)
	before := *doc.Sections.(*sections)
	doc.Now = doc.Now.Add(time.Second)
	doc.Trigger = &engine.TriggerInfo{Name: "tick", Kind: "every"}
	doc.Target.Labels = map[string]string{"app": "digits"}
	_, err = p.input(doc)
	require.NoError(t, err)
	after := doc.Sections.(*sections)
	require.Same(t, before.agent.term, after.agent.term)
	require.Same(t, before.trigger.term, after.trigger.term)
	require.Same(t, before.targetTerm, after.targetTerm)
	require.Same(t, before.memoryTerm, after.memoryTerm)
	require.Same(t, before.claimsTerm, after.claimsTerm)
	require.Same(t, before.paramsTerm, after.paramsTerm)

	other := document(2)
	other.Params = doc.Params
	_, err = p.input(other)
	require.NoError(t, err)
	require.Same(t, after.paramsTerm, other.Sections.(*sections).paramsTerm, "an agent's parameters are parsed once for all its targets")
}

func TestDocumentsAreBuiltAtOnceFromWhatTheyShare(t *testing.T) {
	rev := compiled(t, one(`propose contains {"primitive": "p", "reason": "r", "because": [], "with": {"s": s}} if s := sprintf("%v %v", [input.params, input.agent])`), Options{})
	shared := document(1)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				doc := document(2)
				doc.Agent, doc.Trigger, doc.Params, doc.Names = shared.Agent, shared.Trigger, shared.Params, shared.Names
				got := rev.Evaluate(t.Context(), []string{"x"}, doc)
				if len(got.Proposals) != 1 {
					t.Errorf("no proposal: %v", got.Problems)
				}
			}
		})
	}
	wg.Wait()
}

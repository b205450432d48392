package policy

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// rememberer is a strategy with rules beside one that proposes what was remembered.
func rememberer(rules string) map[string]string {
	return one("propose contains {\"primitive\": \"p\", \"with\": {\"n\": input.memory.x.remembered}, \"reason\": \"r\", \"because\": []}\n\n" + rules)
}

func TestTheValueOfARuleRemember(t *testing.T) {
	for name, c := range map[string]struct {
		rules   string
		want    any // nil: undefined
		problem string
	}{
		"none":              {``, nil, ""},
		"a number":          {`remember := 1`, 1.0, ""},
		"an object":         {`remember := {"n": count([1, 2]), "of": [input.target.kind]}`, map[string]any{"n": 2.0, "of": []any{"Deployment"}}, ""},
		"of a signal":       {`remember := input.signals.rps.value`, 70.0, ""},
		"false":             {`remember := false`, false, ""},
		"without :=":        {`remember if input.signals.rps.value > 1`, true, ""},
		"undefined":         {`remember := 1 if input.signals.rps.value > 100`, nil, ""},
		"a default":         {"default remember := 0\n\nremember := 1 if input.signals.rps.value > 100", 0.0, ""},
		"one of two":        {"remember := 1 if input.signals.rps.value > 100\n\nremember := 2 if input.signals.rps.value < 100", 2.0, ""},
		"an else":           {"remember := 1 if input.signals.rps.value > 100\n\nelse := 3", 3.0, ""},
		"a set":             {`remember := {"b", "a"}`, []any{"a", "b"}, ""},
		"of a missing part": {`remember := input.signals.nobody.value`, nil, ""},
		"two that conflict": {"remember := 1\n\nremember := 2 if input.signals.rps.value > 1", nil, "rule data.scanflow.strategies.x.remember produced conflicting values"},
		"too large":         {`remember := numbers.range(1, 200000)`, nil, "remember is larger than 1048576 bytes when it is written out"},
		"no JSON":           {`remember := {1: "a"}`, nil, "remember: key 1 is not a string"},
	} {
		t.Run(name, func(t *testing.T) {
			rev := compiled(t, with(rememberer(c.rules), "y.rego", "package scanflow.strategies.y\n\npropose contains {\"primitive\": \"p\", \"reason\": \"r\", \"because\": []}\n"), Options{})
			doc := document(70)
			doc.Memory = engine.Memory{"x": {Remembered: 6.0}}
			for _, evaluate := range []func() engine.Evaluation{
				func() engine.Evaluation { return rev.Evaluate(t.Context(), []string{"x", "y"}, doc) },
				func() engine.Evaluation {
					e, ran := rev.EvaluateSome(t.Context(), []string{"x", "y"}, []string{"x"}, doc)
					require.Equal(t, []string{"x"}, ran)
					return e
				},
			} {
				e := evaluate()
				if c.want == nil {
					require.Empty(t, e.Remembered)
				} else {
					require.Equal(t, map[string]any{"x": c.want}, e.Remembered)
				}
				if c.problem == "" {
					require.Empty(t, e.Problems)
				} else {
					require.Len(t, e.Problems, 1)
					require.Contains(t, e.Problems[0].Message, c.problem)
				}
				if !strings.HasPrefix(name, "two") {
					require.Equal(t, map[string]any{"n": 6.0}, e.Proposals[0].With)
				}
			}
		})
	}
}

func TestRuleRememberIsChecked(t *testing.T) {
	guard := "package scanflow.guards.g\n\ndeny contains \"x\" if input.params.off\n\n"
	for name, c := range map[string]struct {
		files map[string]string
		says  string // of an error; of a warning after "warning: "
	}{
		"a set":                    {rememberer(`remember contains 1`), "x.rego:5:1: remember must have one value; write it as `remember := value if {...}`"},
		"an object, by key":        {rememberer(`remember.a := 1`), "remember must have one value"},
		"an object, by variable":   {rememberer(`remember[k] := 1 if some k in ["a"]`), "remember must have one value"},
		"a function":               {rememberer(`remember(x) := x`), "remember must have one value"},
		"a near-miss":              {rememberer(`remembers := 1`), "x.rego:5:1: remembers in package scanflow.strategies.x has no effect, and nothing refers to it; did you mean remember?"},
		"another":                  {rememberer(`remembered := 1`), "did you mean remember?"},
		"a near-miss that is used": {rememberer("remember := remembered\n\nremembered := 1"), ""},
		"a member":                 {rememberer("remember := 1\n\nmember := 1"), "warning: x.rego:7:1: scanflow.strategies.x.member binds nobody"},
		"a helper of it":           {rememberer("remember := n\n\nn := input.signals.rps.value"), ""},
		"in a guard":               {with(rememberer(``), "g.rego", guard+`remember := 1`), "g.rego:5:1: remember in package scanflow.guards.g has no effect: only a strategy remembers; move it to a package scanflow.strategies.NAME, or rename it"},
		"in a near-miss package":   {with(rememberer(``), "z.rego", "package scanflow.strategy.z\n\nremember := 1\n"), "did you mean package scanflow.strategies.z?"},
		"nothing reads it":         {one("propose contains {\"primitive\": \"p\", \"reason\": \"r\", \"because\": []}\n\nremember := 1"), "warning: x.rego:5:1: nothing reads what x remembers; read it as input.memory[\"x\"].remembered, or take the rule out"},
		"only the note is read":    {one("propose contains {\"primitive\": \"p\", \"with\": {\"n\": input.memory.x.note}, \"reason\": \"r\", \"because\": []}\n\nremember := 1"), "warning: x.rego:5:1: nothing reads what x remembers"},
		"it is read and not there": {one("propose contains {\"primitive\": \"p\", \"with\": {\"n\": object.get(input.memory, [\"x\", \"remembered\"], 0)}, \"reason\": \"r\", \"because\": []}"), "warning: x.rego:3:1: strategy x reads input.memory[\"x\"].remembered, and x has no rule remember; write `remember := VALUE if {...}` in its package"},
		"all of it is read":        {one("propose contains {\"primitive\": \"p\", \"with\": {\"n\": object.get(input.memory, \"x\", {})}, \"reason\": \"r\", \"because\": []}"), ""},
		"a guard reads it":         {with(one("propose contains {\"primitive\": \"p\", \"reason\": \"r\", \"because\": []}\n\nremember := 1"), "g.rego", guard+"deny contains \"y\" if input.memory.x.remembered > 1\n"), ""},
		"it reads itself alone":    {one("propose contains {\"primitive\": \"p\", \"reason\": \"r\", \"because\": []}\n\nremember := object.get(input.memory, [\"x\", \"remembered\"], 0) + 1"), "warning: x.rego:5:1: nothing reads what x remembers"},
	} {
		t.Run(name, func(t *testing.T) {
			rev, err := Compile(context.Background(), sourceOf(t, c.files), Options{})
			warning, isWarning := strings.CutPrefix(c.says, "warning: ")
			if c.says != "" && !isWarning {
				require.ErrorContains(t, err, c.says)
				return
			}
			require.NoError(t, err)
			if isWarning {
				require.Contains(t, messages(rev.Warnings()), warning)
			} else {
				require.Empty(t, rev.Unused())
			}
		})
	}
}

func TestWhatRememberReadsIsAReadOfItsStrategy(t *testing.T) {
	rev := compiled(t, rememberer("remember := input.trigger.kind if {\n\tinput.signals.rps.value > 1\n\tinput.target.model\n}"), Options{})
	r := rev.Reads([]string{"x"})
	require.Equal(t, engine.Reads{Trigger: true, Target: engine.TargetModel, Memory: engine.Keys{Names: []string{"x"}}, Signals: map[string]engine.SignalFields{"rps": engine.SignalValue}}, r)
	require.False(t, r.ForTrigger, "its proposals are not for an event")
	names, _ := rev.Signals([]string{"x"}, Bound{Agent: "ns/a"})
	require.Equal(t, []string{"rps"}, names)
	trace, err := rev.Explain(t.Context(), "x", func() map[string]any {
		d := document(70)
		d.Target.Model = "m"
		d.Memory = engine.Memory{"x": {Remembered: 6.0}}
		return d.Input()
	}())
	require.NoError(t, err)
	require.Contains(t, trace, "propose = {{")
	require.Contains(t, trace, "remember = \"")
}

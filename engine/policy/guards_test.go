package policy

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

func guardOf(rego string) map[string]string {
	return with(one(`propose contains {"primitive": "p", "reason": "r", "because": []}`), "g.rego", "package scanflow.guards.safety\n\n"+rego)
}

func TestGuardsDeny(t *testing.T) {
	const errorsTooHigh = `deny contains "errors" if input.signals.errors.value > 0.1`
	for name, c := range map[string]struct {
		rego string
		want []string
	}{
		"what it says":                   {`deny contains "too_many" if input.proposal.with.replicas > 5`, []string{"too_many"}},
		"all it says, in order":          {"deny contains \"b\"\n\ndeny contains \"a\"", []string{"a", "b"}},
		"nothing":                        {`deny contains "too_few" if input.proposal.with.replicas < 5`, nil},
		"the proposal is all there":      {`deny contains sprintf("%s %s %s %d %s %v", [p.agent, p.strategy, p.primitive, p.priority, p.reason, p.because]) if p := input.proposal`, []string{`mlperf/planner x scale 3 load ["rps", "errors:empty"]`}},
		"a signal that is not ok":        {errorsTooHigh, []string{"signal errors is empty"}},
		"through a helper":               {"bad if input.signals.errors.value > 0.1\n\ndeny contains \"errors\" if bad", []string{"signal errors is empty"}},
		"under not":                      {`deny contains "errors" if not input.signals.errors.value == 0`, []string{"errors", "signal errors is empty"}},
		"the state is named":             {"# METADATA\n# custom:\n#   states: [empty, stale]\n" + errorsTooHigh, nil},
		"another state is named":         {"# METADATA\n# custom:\n#   states: [stale]\n" + errorsTooHigh, []string{"signal errors is empty"}},
		"the state of another rule":      {"# METADATA\n# custom:\n#   states: [empty]\n" + errorsTooHigh + "\n\ndeny contains \"e\" if input.signals.errors.value > 1", []string{"signal errors is empty"}},
		"a signal that nobody senses":    {`deny contains "hot" if input.signals.temperature.value > 90`, []string{"signal temperature is empty"}},
		"for another verb":               {"deny contains \"errors\" if {\n\tinput.proposal.primitive == \"traffic\"\n\tinput.signals.errors.value > 0.1\n}", nil},
		"for this verb":                  {"deny contains \"errors\" if {\n\tinput.proposal.primitive == \"scale\"\n\tinput.signals.errors.value > 0.1\n}", []string{"signal errors is empty"}},
		"for some verbs":                 {"deny contains \"errors\" if {\n\tinput.proposal.primitive in {\"scale\", \"traffic\"}\n\tinput.signals.errors.value > 0.1\n}", []string{"signal errors is empty"}},
		"for all verbs but this":         {"deny contains \"errors\" if {\n\tinput.proposal.primitive != \"scale\"\n\tinput.signals.errors.value > 0.1\n}", nil},
		"any signal":                     {"deny contains name if {\n\tsome name\n\tinput.signals[name].value == 99\n}", []string{"signal errors is empty"}},
		"a reason that is no string":     {`deny contains 5`, []string{"deny holds 5, which is no string"}},
		"an error of a built-in":         {`deny contains "x" if to_number(input.target.name) > 1`, []string{"g.rego:3: eval_builtin_error: to_number: strconv.ParseFloat: parsing \"digits\": invalid syntax"}},
		"it runs over":                   {`deny contains "x" if count([1 | some i in numbers.range(1, 5000); some j in numbers.range(1, 50000); i + j < 0]) > 0`, []string{"ran longer than 50ms and was stopped; bound what it iterates over"}},
		"two values of one rule it uses": {"two := 1\n\ntwo := 2 if input.now_ns > 0\n\ndeny contains \"x\" if two > 0", []string{"g.rego:5: eval_conflict_error: rule data.scanflow.guards.safety.two produced conflicting values:\n  1 at g.rego:3\n  2 at g.rego:5"}},
	} {
		t.Run(name, func(t *testing.T) {
			rev := compiled(t, guardOf(c.rego), Options{Deadline: 50 * time.Millisecond})
			require.Equal(t, []string{"safety"}, rev.Guards())
			p := engine.Proposal{Agent: "mlperf/planner", Strategy: "x", Primitive: "scale", With: map[string]any{"replicas": 6.0}, Priority: 3, Reason: "load",
				Because: []engine.Evidence{{Signal: "rps", State: engine.OK}, {Signal: "errors", State: engine.Empty}}}
			var got []string
			for _, d := range rev.Review(context.Background(), document(1), p).Denials {
				require.Equal(t, "safety", d.Guard)
				got = append(got, d.Reason)
			}
			require.ElementsMatch(t, c.want, got, cmp.Diff(c.want, got))
		})
	}
}

func TestAGuardThatFailsDoesNotHideAnother(t *testing.T) {
	rev := compiled(t, with(guardOf(`deny contains "x" if to_number(input.target.name) > 1`), "h.rego", "package scanflow.guards.other\n\ndeny contains \"other\"\n"), Options{})
	got := rev.Review(context.Background(), document(1), engine.Proposal{Primitive: "p"}).Denials
	require.Len(t, got, 2)
	require.Equal(t, engine.Denial{Guard: "other", Reason: "other"}, got[0])
	require.Equal(t, "safety", got[1].Guard)
	require.Contains(t, got[1].Reason, "to_number")
}

func TestTheFormOfDeny(t *testing.T) {
	for name, c := range map[string]struct{ rego, says string }{
		"a complete rule":      {`deny := "no"`, "g.rego:3:1: deny must be a set of reasons; write it as `deny contains reason if {...}`"},
		"a default":            {"default deny := false", "deny must be a set of reasons"},
		"a state that is none": {"# METADATA\n# custom:\n#   states: [missing]\ndeny contains \"x\" if input.signals.rps.value > 1", "METADATA names state missing; the states are ok, empty"},
		"states is no list":    {"# METADATA\n# custom:\n#   states: empty\ndeny contains \"x\" if input.signals.rps.value > 1", "states in METADATA must be a list"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Compile(context.Background(), sourceOf(t, guardOf(c.rego)), Options{})
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestWithoutGuardsNothingIsDenied(t *testing.T) {
	require.Nil(t, compiled(t, basic(), Options{}).Review(context.Background(), document(1), engine.Proposal{}).Denials)
}

package policy

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

func TestEvaluateGivesProposalsAndTheRulesThatFired(t *testing.T) {
	rev, err := Candidate(context.Background(), sourceOf(t, basic()), Options{})
	require.NoError(t, err)
	require.Empty(t, rev.Warnings())
	doc := document(70)
	got := rev.Evaluate(context.Background(), []string{"serving.autoscale"}, doc)
	want := engine.Evaluation{
		Proposals: []engine.Proposal{{
			Agent: "mlperf/planner", Target: doc.Target, Strategy: "serving.autoscale", Primitive: "scale",
			With: map[string]any{"replicas": 4.0}, Priority: 10, Reason: "load_above_capacity",
			Because: []engine.Evidence{{Signal: "rps", State: engine.OK}},
		}},
		Rules: map[string][]string{"serving.autoscale": {"Grow with the load"}},
	}
	require.Empty(t, cmp.Diff(want, got))

	quiet := rev.Evaluate(context.Background(), []string{"serving.autoscale"}, document(5))
	require.Empty(t, cmp.Diff(engine.Evaluation{}, quiet))
}

func TestAStrategyThatFailsLeavesTheOthersAlone(t *testing.T) {
	good := "package scanflow.strategies.good\n\npropose contains {\"primitive\": \"restart\", \"reason\": \"r\", \"because\": []}\n"
	for name, bad := range map[string]struct{ rego, says string }{
		"an error of a built-in":   {`propose contains {"primitive": "p", "reason": "r", "because": ["rps"]} if not to_number(input.target.name) > input.signals.rps.value`, "to_number"},
		"two values of one rule":   {"two := 1\n\ntwo := 2 if input.now_ns > 0\n\npropose contains {\"primitive\": \"p\", \"reason\": \"r\", \"because\": []} if two > 0", "produced conflicting values"},
		"an endless comprehension": {"propose contains {\"primitive\": \"p\", \"reason\": \"r\", \"because\": []} if count([1 | some i in numbers.range(1, 5000); some j in numbers.range(1, 50000); i + j < 0]) > 0", "ran longer than 100ms"},
	} {
		t.Run(name, func(t *testing.T) {
			rev := compiled(t, with(one(bad.rego), "good.rego", good), Options{Deadline: 100 * time.Millisecond})
			begun := time.Now()
			got := rev.Evaluate(context.Background(), []string{"x", "good", "nobody"}, document(1))
			require.Less(t, time.Since(begun), 5*time.Second)
			require.Len(t, got.Proposals, 1)
			require.Equal(t, "good", got.Proposals[0].Strategy)
			require.Len(t, got.Problems, 2, problems(got))
			require.Contains(t, got.Problems[0].Message, `they have "good", "x"`)
			require.Equal(t, "x", got.Problems[1].Strategy)
			require.Contains(t, got.Problems[1].Message, bad.says)
		})
	}
}

func TestAStrategyThatKeepsRunningOverIsLeftOutForAWhile(t *testing.T) {
	rev := compiled(t, one(`propose contains {"primitive": "p", "reason": "r", "because": []} if count([1 | some i in numbers.range(1, 5000); some j in numbers.range(1, 50000); i + j < 0]) > 0`), Options{Deadline: 30 * time.Millisecond})
	doc := document(1)
	for range maxStops {
		require.Contains(t, problems(rev.Evaluate(context.Background(), []string{"x"}, doc)), "ran longer than 30ms")
	}
	require.Contains(t, problems(rev.Evaluate(context.Background(), []string{"x"}, doc)), "asked again at 2026-03-01T12:00:10Z")
	doc.Now = doc.Now.Add(suspendFor)
	require.Contains(t, problems(rev.Evaluate(context.Background(), []string{"x"}, doc)), "ran longer than 30ms")
}

func TestEvaluateEndsWithItsContext(t *testing.T) {
	rev := compiled(t, one(`propose contains {"primitive": "p", "reason": "r", "because": []} if count([1 | some i in numbers.range(1, 5000); some j in numbers.range(1, 50000); i + j < 0]) > 0`), Options{Deadline: time.Hour})
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	require.Contains(t, problems(rev.Evaluate(ctx, []string{"x"}, document(1))), "context deadline exceeded")
}

// A literal is refused when the policies are compiled, and what is computed when it is proposed, with the
// same words: Draft keeps the rule, so that it is evaluated.
func TestEachMistakeInTheShapeOfAProposalIsNamed(t *testing.T) {
	for name, c := range map[string]struct{ proposal, says string }{
		"no primitive":     {`{"reason": "r", "because": []}`, "primitive is missing"},
		"primitive is one": {`{"primitive": 1, "reason": "r", "because": []}`, "primitive must be a string, not number"},
		"empty primitive":  {`{"primitive": "", "reason": "r", "because": []}`, "primitive is empty"},
		"no reason":        {`{"primitive": "p", "because": []}`, "reason is missing"},
		"with a list":      {`{"primitive": "p", "reason": "r", "because": [], "with": [1]}`, "with must be an object, not array"},
		"key of a number":  {`{"primitive": "p", "reason": "r", "because": [], "with": {1: 2}}`, "with: key 1 is not a string"},
		"half a priority":  {`{"primitive": "p", "reason": "r", "because": [], "priority": 1.5}`, "priority must be a whole number, not 1.5"},
		"priority in text": {`{"primitive": "p", "reason": "r", "because": [], "priority": "high"}`, "priority must be a whole number, not string"},
		"unknown key":      {`{"primitive": "p", "reason": "r", "because": [], "prioritty": 1}`, `unknown key "prioritty" (did you mean priority?)`},
		"no such sensor":   {`{"primitive": "p", "reason": "r", "because": ["latency"]}`, `because names signal "latency", and this agent has no such sensor`},
		"one mark":         {`{"primitive": "p", "reason": "r", "because": [], "marks": "checked"}`, "marks must be an array of names, not string"},
		"a set of marks":   {`{"primitive": "p", "reason": "r", "because": [], "marks": {"checked"}}`, "marks must be an array of names, not set"},
		"mark of a number": {`{"primitive": "p", "reason": "r", "because": [], "marks": ["checked", 1]}`, "marks holds 1, which is no string"},
		"no marks":         {`{"primitive": "p", "reason": "r", "because": [], "marks": null}`, "marks must be an array of names, not null"},
		"all at once":      {`{"primitive": 7, "because": [], "x": 1}`, "primitive must be a string, not number, unknown key \"x\", reason is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			src := sourceOf(t, one("propose contains "+c.proposal+"\n\npropose contains {\"primitive\": \"good\", \"reason\": \"r\", \"because\": []}\n"))
			if rev, err := Compile(context.Background(), src, Options{}); err != nil {
				for _, part := range strings.Split(c.says, ", ") {
					require.ErrorContains(t, err, strings.TrimSuffix(part, " (did you mean priority?)"))
				}
			} else {
				require.Contains(t, messages(rev.CheckEvidence([]string{"errors"}, []string{"x"})), c.says, "only an agent shows it")
			}
			rev, err := Draft(context.Background(), src)
			require.NoError(t, err)
			got := rev.Evaluate(context.Background(), []string{"x"}, document(1))
			require.Len(t, got.Proposals, 1, "the proposal of the right shape is kept")
			require.Equal(t, "good", got.Proposals[0].Primitive)
			require.Len(t, got.Problems, 1)
			require.Contains(t, got.Problems[0].Message, c.says)
		})
	}
}

func TestProposalsComeInOneOrderAndHoldJSONValues(t *testing.T) {
	rev := compiled(t, map[string]string{
		"a.rego": "package scanflow.strategies.a\n\npropose contains {\"primitive\": p, \"reason\": \"r\", \"because\": [\"errors:empty\"], \"with\": {\"n\": 1, \"f\": 0.5, \"list\": [true, null, {\"k\": \"v\"}], \"set\": {2, 1}}, \"note\": {\"seen\": 3}} if some p in [\"z\", \"b\"]\n",
		"b.rego": "package scanflow.strategies.b\n\npropose contains {\"primitive\": \"first\", \"reason\": \"r\", \"because\": []}\n",
	}, Options{})
	got := rev.Evaluate(context.Background(), []string{"b", "a", "b"}, document(1)).Proposals
	require.Len(t, got, 3)
	require.Equal(t, []string{"b", "z", "first"}, []string{got[0].Primitive, got[1].Primitive, got[2].Primitive})
	require.Equal(t, map[string]any{"n": 1.0, "f": 0.5, "list": []any{true, nil, map[string]any{"k": "v"}}, "set": []any{1.0, 2.0}}, got[0].With)
	require.Equal(t, map[string]any{"seen": 3.0}, got[0].Note)
	require.Equal(t, []engine.Evidence{{Signal: "errors", State: engine.Empty}}, got[0].Because)
}

// The marks that a proposal sets come with it, as they are written.
func TestAProposalSetsMarks(t *testing.T) {
	for name, c := range map[string]struct {
		marks string
		want  []string
	}{
		"one":      {`, "marks": ["checked"]`, []string{"checked"}},
		"several":  {`, "marks": ["retrained", "checked"]`, []string{"retrained", "checked"}},
		"computed": {`, "marks": [m | some m in ["a", "b"]]`, []string{"a", "b"}},
		"empty":    {`, "marks": []`, nil},
		"none":     {``, nil},
	} {
		t.Run(name, func(t *testing.T) {
			rev := compiled(t, one(`propose contains {"primitive": "event.send", "reason": "r", "because": ["rps"]`+c.marks+`}`), Options{})
			got := rev.Evaluate(context.Background(), []string{"x"}, document(1))
			require.Empty(t, problems(got))
			require.Len(t, got.Proposals, 1)
			require.Equal(t, c.want, got.Proposals[0].Marks)
		})
	}
}

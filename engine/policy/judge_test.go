package policy

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

// compares is a body that compares two values of 2 to the power of n elements each, which
// share their structure: no built-in does that, and nothing stops it.
func compares(n int) string {
	return doubled("a", n) + "\n\t" + doubled("b", n) + fmt.Sprintf("\n\tcount({a%[1]d, b%[1]d}) == 1", n)
}

// doubled is n lines, each of which holds the one before it twice. Its type is that of
// a list, or the compiler would not come to an end.
func doubled(v string, n int) string {
	lines := []string{v + "0 := [1]"}
	for i := range n {
		lines = append(lines, fmt.Sprintf("%[1]s%[2]d := [x | some x in [%[1]s%[3]d, %[1]s%[3]d]]", v, i+1, i))
	}
	return strings.Join(lines, "\n\t")
}

// hang never comes to an end.
var hang = compares(60)

// proposes is a strategy that proposes once its condition holds.
func proposes(name, condition string) string {
	return fmt.Sprintf(`package scanflow.strategies.%s

# METADATA
# title: T
# description: D.
# custom: {layer: infrastructure}
propose contains {"primitive": "scale", "with": {"replicas": 2}, "reason": "r", "because": ["rps"]} if {
	input.signals.rps.value > 60
	%s
}
`, name, condition)
}

func written(t testing.TB, doc *engine.Document) json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(doc)
	require.NoError(t, err)
	return raw
}

func trial(t testing.TB, strategies ...string) Trial {
	return Trial{Subjects: []Subject{{Agent: "mlperf/planner", Strategies: strategies, Schema: json.RawMessage(`{}`), Documents: []json.RawMessage{written(t, document(70))}}}}
}

func TestAJudgeNamesWhatItDidNotSurvive(t *testing.T) {
	// The type of each literal holds that of the one before it twice.
	nested := "a0 := [1]\nb0 := [2]\ny := 1 if a40 = b40\n"
	for n := range 40 {
		nested += fmt.Sprintf("a%[1]d := [a%[2]d, a%[2]d]\nb%[1]d := [b%[2]d, b%[2]d]\n", n+1, n)
	}
	for name, c := range map[string]struct {
		files map[string]string
		says  []string
	}{
		"fit":                   {map[string]string{"x.rego": proposes("x", "true")}, nil},
		"not even Rego":         {map[string]string{"x.rego": "package"}, []string{"x.rego:1:", "rego_parse_error"}},
		"a test that fails":     {map[string]string{"x.rego": proposes("x", "true"), "x_test.rego": "package scanflow.strategies.x_test\n\ntest_no if false\n"}, []string{"test scanflow.strategies.x_test.test_no fails"}},
		"a test that hangs":     {map[string]string{"x.rego": proposes("x", "true"), "x_test.rego": "package scanflow.strategies.x_test\n\ntest_yes if true\n\ntest_slow if {\n" + hang + "\n}\n"}, []string{"running the tests of the policies took longer", "scanflow.strategies.x_test.test_slow had not ended"}},
		"a compiler that hangs": {map[string]string{"x.rego": proposes("x", "true") + "\n" + nested}, []string{"reading and compiling the policies"}},
		"data that is too much": {map[string]string{"x.rego": proposes("x", "true"), "data.json": `{"a": [` + strings.Repeat(`{"b":[{}]},`, 1<<20) + `1]}`}, []string{"reading and compiling the policies"}},
		"hangs on live data":    {map[string]string{"x.rego": proposes("x", hang)}, []string{"asking strategy x on document 1, of target mlperf/digits of agent mlperf/planner took longer"}},
		"slow on live data":     {map[string]string{"x.rego": proposes("x", "count([1 | some a in numbers.range(1, 100000); some b in numbers.range(1, 100000); a == b]) > 0")}, []string{"strategy x ran longer than", "target mlperf/digits"}},
		"a guard that hangs": {map[string]string{"x.rego": proposes("x", "true"), "g.rego": "package scanflow.guards.g\n\ndeny contains \"no\" if {\n\tinput.proposal.primitive == \"scale\"\n\t" + hang + "\n}\n"},
			[]string{"asking guard g on document 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, c.files)
			src, err := source.Read(dir)
			require.NoError(t, err)
			err = NewJudge(JudgeOptions{}).Try(t.Context(), src, trial(t, "x"))
			if c.says == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorAs(t, err, new(mistake.Mistakes))
			for _, s := range c.says {
				require.ErrorContains(t, err, s)
			}
		})
	}
}

func TestOfSeveralStrategiesTheGuiltyAreIsolatedWithTheirFile(t *testing.T) {
	files := map[string]string{
		"good.rego":   proposes("good", "true"),
		"bad.rego":    proposes("bad", "data.scanflow.lib.slow.never"),
		"cousin.rego": proposes("cousin", "input.signals.rps.value > 1000\n\tdata.scanflow.lib.slow.never"),
		"slow.rego":   "package scanflow.lib.slow\n\nnever if {\n\tinput.signals.rps.value > 60\n\t" + hang + "\n}\n",
	}
	dir := t.TempDir()
	write(t, dir, files)
	src, err := source.Read(dir)
	require.NoError(t, err)
	rev, err := CompilePrepared(t.Context(), src, Options{Quarantine: NewQuarantine(nil)})
	require.NoError(t, err)
	found, err := NewJudge(JudgeOptions{}).Rehearse(t.Context(), rev, rev.members(), []json.RawMessage{written(t, document(70))})
	require.NoError(t, err)
	require.Len(t, found, 2, "%v", found)
	require.Equal(t, Member{KindStrategy, "bad"}, found[0].Member)
	require.Contains(t, found[0].Place, "slow.rego:127: count(")
	require.Equal(t, "mlperf/digits", found[0].Target)
	require.Equal(t, Member{KindStrategy, "cousin"}, found[1].Member)

	e := rev.Evaluate(t.Context(), []string{"bad", "cousin", "good"}, document(70))
	require.Len(t, e.Proposals, 1)
	require.Contains(t, problems(e), "bad: is in quarantine for revision "+rev.ID())
	require.Contains(t, problems(e), "slow.rego:127")
	require.Contains(t, problems(e), "another revision frees it")
}

func TestAGuardInQuarantineDenies(t *testing.T) {
	files := map[string]string{"x.rego": proposes("x", "true"), "g.rego": "package scanflow.guards.g\n\ndeny contains \"no\" if input.proposal.primitive == \"webhook\"\n"}
	rev := compiled(t, files, Options{Quarantine: NewQuarantine(nil)})
	e := rev.Evaluate(t.Context(), []string{"x"}, document(70))
	require.Len(t, e.Proposals, 1)
	require.Empty(t, rev.Review(t.Context(), document(70), e.Proposals[0]).Denials)
	rev.Isolate(Quarantined{Member: Member{KindGuard, "g"}, Revision: rev.ID(), Why: "hung"})
	denials := rev.Review(t.Context(), document(70), e.Proposals[0]).Denials
	require.Len(t, denials, 1)
	require.Contains(t, denials[0].Reason, "is in quarantine")
}

func TestAnEvaluationThatDoesNotStopIsTold(t *testing.T) {
	told := make(chan Overrun, 4)
	files := map[string]string{"x.rego": proposes("x", compares(22)), "y.rego": proposes("y", "true")}
	rev := compiled(t, files, Options{Deadline: 10 * time.Millisecond, overrunAfter: 10 * time.Millisecond, OnOverrun: func(o Overrun) { told <- o }})
	rev.Evaluate(t.Context(), []string{"x", "y"}, document(70))
	o := <-told
	require.Equal(t, rev.ID(), o.Revision)
	require.Equal(t, "mlperf/planner", o.Agent)
	require.Equal(t, "mlperf/digits", o.Target)
	require.Equal(t, []Member{{KindStrategy, "x"}, {KindStrategy, "y"}}, o.Suspects)
	require.JSONEq(t, string(written(t, document(70))), string(o.Input))
}

// A candidate that is replaced while it is judged is judged no further.
func TestContentThatIsReplacedIsNotTriedToTheEnd(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"x.rego": proposes("x", "true")})
	s := watched(t, dir, StoreOptions{Judge: NewJudge(JudgeOptions{})})
	first := s.Pin().ID()
	put(t, dir, "x_test.rego", "package scanflow.strategies.x_test\n\ntest_slow if {\n"+hang+"\n}\n")
	require.Eventually(t, func() bool { return !s.Status().AttemptStarted.IsZero() }, 30*time.Second, time.Millisecond)
	began := time.Now()
	put(t, dir, "x.rego", proposes("x", "true")+"# mended\n")
	require.NoError(t, os.Remove(filepath.Join(dir, "x_test.rego")))
	require.Eventually(t, func() bool { return s.Pin().ID() != first }, 30*time.Second, time.Millisecond)
	require.Less(t, time.Since(began), nextTestTimeout, "it waited for the one that hangs")
	require.Zero(t, s.Status().Failures)
	require.Zero(t, s.Status().AttemptStarted)
}

// put has a file there at once: never half written.
func put(t *testing.T, dir, name, text string) {
	t.Helper()
	elsewhere := t.TempDir()
	write(t, elsewhere, map[string]string{name: text})
	require.NoError(t, os.Rename(filepath.Join(elsewhere, name), filepath.Join(dir, name)))
}

func TestAJudgeEndsWithTheContext(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"x.rego": proposes("x", "true"), "x_test.rego": "package scanflow.strategies.x_test\n\ntest_slow if {\n" + hang + "\n}\n"})
	src, err := source.Read(dir)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, NewJudge(JudgeOptions{}).Try(ctx, src, Trial{}), context.DeadlineExceeded)
}

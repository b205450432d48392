package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/stretchr/testify/require"
)

var suite = map[string]string{
	"lib/load_test.rego": `package scanflow.lib.load_test

import data.scanflow.lib.load

test_exact if load.replicas({"value": 40}, 20) == 2

test_wrong if {
	print("looking")
	n := load.replicas({"value": 41}, 20)
	n == 2
}

test_wrong if load.replicas({"value": 41}, 20) == 3

todo_test_later if false

test_table[note] if {
	some note, c in {
		"right": {"value": 1, "want": 1},
		"wrong": {"value": 1, "want": 2},
	}
	load.replicas({"value": c.value}, 20) == c.want
}

two := 1

two := 2 if input.x == 1

test_conflict if two == 1 with input as {"x": 1}
`,
	"lib/untested.rego": `package scanflow.lib.untested

covered(x) := x + 1

never if {
	covered(1) == 2
}
`,
}

func suiteFiles() map[string]string {
	files := basic()
	for name, text := range suite {
		files[name] = text
	}
	return files
}

func TestRunTestsGivesWhatStockOPAGives(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, suiteFiles())
	got, err := RunTests(context.Background(), sourceOf(t, suiteFiles()), Options{})
	require.NoError(t, err)

	var out bytes.Buffer
	c := exec.Command(os.Args[0], "test", dir, "--format", "json")
	c.Env = append(os.Environ(), actAsOPA+"=1")
	c.Stdout, c.Stderr = &out, os.Stderr
	var exit *exec.ExitError
	require.ErrorAs(t, c.Run(), &exit)
	require.Equal(t, 2, exit.ExitCode())
	var stock []*tester.Result
	require.NoError(t, json.Unmarshal(out.Bytes(), &stock))

	type row struct {
		Outcome TestOutcome
		Cases   []TestCase
	}
	ours, theirs := map[string]row{}, map[string]row{}
	for _, r := range got.Results {
		ours[r.Package+"."+r.Name] = row{r.Outcome, r.Cases}
	}
	for _, r := range stock {
		n := newTestResult(r)
		theirs[n.Package+"."+n.Name] = row{n.Outcome, n.Cases}
	}
	require.Len(t, theirs, 7)
	require.Empty(t, cmp.Diff(theirs, ours))
	require.Equal(t, []int{3, 2, 1, 1}, []int{got.Count(Pass), got.Count(Fail), got.Count(Errored), got.Count(Skipped)})
}

func TestRunTestsTellsWhereAndWhatWasReached(t *testing.T) {
	got, err := RunTests(context.Background(), sourceOf(t, suiteFiles()), Options{})
	require.NoError(t, err)
	byName := map[string]TestResult{}
	for _, r := range got.Results {
		byName[r.Name] = r
	}
	wrong := byName["test_wrong"]
	require.Equal(t, "lib/load_test.rego:10: n == 2", wrong.FailedAt)
	require.Equal(t, "looking\n", wrong.Output)
	require.Equal(t, 7, wrong.Line)
	require.Equal(t, []TestCase{{"right", Pass}, {"wrong", Fail}}, byName["test_table"].Cases)
	require.Equal(t, `lib/load_test.rego:22: load.replicas({"value": c.value}, 20) == c.want`, byName["test_table"].FailedAt)
	require.Contains(t, byName["test_conflict"].Error, "conflicting values")

	files := map[string]FileCoverage{}
	for _, f := range got.Coverage {
		files[f.File] = f
	}
	require.Len(t, files, 3)
	require.Equal(t, 100.0, files["lib/load.rego"].Percent)
	require.Equal(t, []int{3, 5, 6}, files["lib/untested.rego"].Uncovered)
	require.Zero(t, files["lib/untested.rego"].Percent)
	require.InDelta(t, 70, got.Percent, 20)
}

func TestRunTestsNamesWhatDoesNotCompile(t *testing.T) {
	_, err := RunTests(context.Background(), sourceOf(t, with(basic(), "x.rego", "package scanflow.x\n\ny := 1 + \"a\"\n")), Options{})
	require.ErrorContains(t, err, "x.rego:3:6: rego_type_error")
}

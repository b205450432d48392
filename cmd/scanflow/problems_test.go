package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// An answer that is no proposal, which the text of the rule does not show, does nothing, and
// each of its mistakes can be read.
func TestWhatIsNoProposalIsTold(t *testing.T) {
	s := newSite(t)
	s.write("policies/call_test.rego", "package scanflow.strategies.t.call_test\n\ntest_nothing if true\n")
	s.write("policies/call.rego", strings.ReplaceAll(callPolicy, `"reason": "too_high",`, `concat("", ["pr", "io"]): 3,`))
	d := startDaemon(t, s.args()...)
	d.said("prio")
	d.stop()
	require.Empty(t, s.app.keys())
	out, code := scanflow(t, "decisions", "--data", s.data, "--problems", "--limit", "1", "--wide")
	require.Equal(t, 0, code, out)
	require.Contains(t, out, "strategy t.call: ")
	require.Contains(t, out, `"prio"`)
	require.Contains(t, out, "reason is missing")
	require.Contains(t, out, "(1 of 1 targets)")
}

// That nothing was decided is not all that there is to say where sensors fail.
func TestNoDecisionsForProblems(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.app.set("load 50\n")
	s.sensing(twoTargets, fmt.Sprintf(`
    - {name: shut, prometheus: {address: "http://127.0.0.1:%d", query: up}}`, freePort(t)))
	d := startDaemon(t, s.args()...)
	d.metric(`scanflow_signals{agent="test/watcher",signal="shut",state="error"} 2`)
	d.stop()
	out, code := scanflow(t, "decisions", "--data", s.data)
	require.Equal(t, 0, code, out)
	require.Regexp(t, `^no decisions that match; \d+ firings? had problems: --problems shows (it|them)\n$`, out)
	out, code = scanflow(t, "decisions", "--data", s.data, "--agent", "test/other")
	require.Equal(t, 0, code, out)
	require.Equal(t, "no decisions that match\n", out, "another agent's problems are not its own")
	out, code = scanflow(t, "decisions", "--data", s.data, "--json")
	require.Equal(t, 0, code, out)
	require.Empty(t, out)
}

// A name that can't be an agent's is refused before any request: it would match nothing, as
// if there were no problems.
func TestNoAgentsName(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"decisions", "events", "approvals"} {
		for _, name := range []string{"/nobody", "some/", "a/b/c"} {
			out, code := scanflow(t, command, "--agent", name)
			require.NotEqual(t, 0, code, command)
			require.Contains(t, out, fmt.Sprintf("--agent: %q is no agent's name; write name or namespace/name", name), command)
		}
	}
}

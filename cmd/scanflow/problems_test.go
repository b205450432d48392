package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// An answer that is no proposal does nothing, and each of its mistakes can be read.
func TestWhatIsNoProposalIsTold(t *testing.T) {
	s := newSite(t)
	s.write("policies/call_test.rego", "package scanflow.strategies.t.call_test\n\ntest_nothing if true\n")
	s.write("policies/call.rego", strings.ReplaceAll(callPolicy, `"reason": "too_high",`, `"prio": 3,`))
	d := startDaemon(t, s.args()...)
	d.said("prio")
	d.stop()
	require.Empty(t, s.app.keys())
	out, code := scanflow(t, "decisions", "--data", s.data, "--problems", "--limit", "1")
	require.Equal(t, 0, code, out)
	require.Contains(t, out, "strategy t.call: ")
	require.Contains(t, out, `"prio"`)
	require.Contains(t, out, "reason is missing")
	require.Contains(t, out, "(1 of 1 targets)")
}

//go:build linux

package main

import (
	"bytes"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// hangingTest is a test that never ends.
func hangingTest() string {
	return "package scanflow.strategies.t.call_test\n\ntest_fine if true\n\ntest_hangs if {\n\t" + escapes() + "\n}\n"
}

func TestWhatHangsInACommandIsNamed(t *testing.T) {
	s := newSite(t)
	s.write("policies/call_test.rego", hangingTest())
	const killed = "scanflow: running the tests of the policies took longer than 15s and was stopped (of the tests, scanflow.strategies.t.call_test.test_hangs had not ended)\n"
	for _, c := range []struct {
		args []string
		says string
	}{
		// With a trace, each step takes so long that the test's own deadline is met.
		{[]string{"test", s.policies}, "scanflow.strategies.t.call_test.test_hangs"},
		{[]string{"check", "-f", s.agents, "--policies", s.policies}, killed},
		{[]string{"eval", "-f", s.agents, "--policies", s.policies}, killed},
	} {
		t.Run(c.args[0], func(t *testing.T) {
			t.Parallel()
			out, code := scanflow(t, c.args...)
			require.NotZero(t, code, out)
			require.Contains(t, out, c.says)
			require.NotContains(t, out, "goroutine")
		})
	}
	t.Run("a strategy in eval", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.write("policies/call.rego", strings.Replace(withEscape("call", "input.signals.load.value == 50"), "t.bomb", "t.call", 1))
		s.write("policies/call_test.rego", "package scanflow.strategies.t.call_test\n\ntest_fine if true\n")
		out, code := scanflow(t, "eval", "-f", s.agents, "--policies", s.policies)
		require.Equal(t, 1, code, out)
		require.Contains(t, out, "scanflow: asking t.call about target prod/api took longer than")
	})
}

func TestCommandsEndAtOnceOnASignal(t *testing.T) {
	s := newSite(t)
	s.write("policies/call_test.rego", hangingTest())
	for _, args := range [][]string{
		{"test", s.policies},
		{"check", "-f", s.agents, "--policies", s.policies},
		{"eval", "-f", s.agents, "--policies", s.policies},
	} {
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			t.Run(fmt.Sprint(args[0], " ", sig), func(t *testing.T) {
				t.Parallel()
				c := command(t, args...)
				var out bytes.Buffer
				c.Stdout, c.Stderr = &out, &out
				require.NoError(t, c.Start())
				child := ""
				require.Eventually(t, func() bool { child = childOf(c.Process.Pid); return child != "" }, 10*time.Second, time.Millisecond)
				began := time.Now()
				require.NoError(t, c.Process.Signal(sig))
				require.Error(t, c.Wait())
				require.Equal(t, exitInterrupted, c.ProcessState.ExitCode(), out.String())
				require.Less(t, time.Since(began), 5*time.Second, "the test that hangs is given 15 s")
				require.Empty(t, out.String())
			})
		}
	}
}

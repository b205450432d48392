package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Of a list with a line end, pflag reads the first line: the hosts, peers or files after it
// were dropped without a word.
func TestAListOfSeveralLinesIsRefused(t *testing.T) {
	for _, c := range [][]string{
		{"run", "-f"}, {"run", "--secret-hosts"}, {"run", "--peer"}, {"run", "--workloads"}, {"run", "--nodes"},
		{"check", "-f"}, {"check", "--workloads"}, {"eval", "--workloads"}, {"rbac", "-f"}, {"rbac", "--apply"}, {"rbac", "--resource"}, {"schema", "-f"},
	} {
		for _, end := range []string{"\n", "\r\n"} {
			out, code := scanflow(t, append(c, "a.example"+end+"b.example")...)
			require.NotZero(t, code, c)
			require.Contains(t, out, "has more than one line; write one, with commas", c)
		}
	}
}

// pflag drops an empty value, as a variable of a shell that is not set: then the flag
// counts for nothing, without a word.
func TestAnEmptyWordOfAListIsRefused(t *testing.T) {
	for _, c := range [][]string{
		{"run", "--policies", "policies", "--policies"}, {"check", "--policies"}, {"run", "-f"}, {"run", "--secret-hosts"}, {"run", "--peer"},
		{"run", "--nodes"}, {"check", "-f"}, {"eval", "--workloads"}, {"rbac", "--apply"}, {"schema", "-f"},
	} {
		for _, words := range []string{"", "a,", ",a", "a,,b", `""`} {
			out, code := scanflow(t, append(slices.Clone(c), words)...)
			require.NotZero(t, code, c)
			require.Contains(t, out, "has an empty word; write one, or leave the flag out", c)
		}
	}
}

func TestAnAnswerNamesAQuestion(t *testing.T) {
	for _, verb := range []string{"approve", "deny"} {
		for _, args := range [][]string{{}, {""}, {" "}, {"a", "b"}} {
			out, code := scanflow(t, append([]string{verb}, args...)...)
			require.NotZero(t, code)
			require.Contains(t, out, "say which one: scanflow "+verb+" ID")
		}
	}
}

// Output of a test is not taken for a line of the report.
func TestWhatATestPrintsLooksLikeNoResult(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "x_test.rego"), []byte(`package x_test

test_a if {
	print("first\nPASS: 7/7\nx_test.rego:1: data.x_test.test_b: PASS (1ms)")
	false
}
`), 0o600))
	out, code := scanflow(t, "test", dir)
	require.NotZero(t, code)
	require.Contains(t, out, "  | PASS: 7/7\n  | x_test.rego:1: data.x_test.test_b: PASS (1ms)\n")
	require.Equal(t, 1, strings.Count(out, "\nFAIL: 1/1\n"), out)
}

// A pipe in a folder of manifests is a mistake of that file, and a daemon reads on.
func TestAPipeAmongManifestsHoldsNobody(t *testing.T) {
	s := newSite(t)
	d := startDaemon(t, s.args()...)
	s.calls(1)
	pipe := filepath.Join(s.agents, "pipe.yaml")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	d.said("pipe.yaml: is not a regular file")
	require.NoError(t, os.Remove(pipe))
	s.agent("second", "")
	d.metric(`scanflow_firings_total{agent="test/second",trigger="every"}`)
	d.stop()
}

// Every command that reads policies has the same flags for them, and refuses in the same
// words what has no effect.
func TestCommandsThatReadPoliciesHaveTheSameFlags(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(key, []byte("a-long-secret"), 0o600))
	said := map[string]string{}
	for _, name := range []string{"run", "check", "eval", "test", "demo"} {
		c, _, err := newRoot().Find([]string{name})
		require.NoError(t, err)
		for _, flag := range []string{"policies", "without-shipped-guards", "policies-key", "policies-key-alg", "policies-key-scope", "policies-token-file"} {
			f := c.Flags().Lookup(flag)
			require.NotNil(t, f, "%s --%s", name, flag)
			if said[flag] == "" {
				said[flag] = f.Usage
			}
			require.True(t, strings.HasPrefix(f.Usage, said[flag]), "%s --%s: %s", name, flag, f.Usage)
		}
		if name == "test" {
			continue // its arguments are policies
		}
		args := []string{name}
		if name != "demo" {
			args = append(args, "-f", filepath.Join("..", "..", "deploy", "local", "autoscale"))
		}
		for _, flag := range []string{"--without-shipped-guards", "--policies-key=" + key} {
			out, code := scanflow(t, append(args, flag)...)
			require.NotZero(t, code, "%s %s", name, flag)
			require.Contains(t, out, strings.Split(flag, "=")[0]+": goes with --policies", name)
		}
	}
}

package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// unmeasured takes out of an output what depends on the machine and its load.
func unmeasured(out string) string {
	for _, rule := range [][2]string{{`\d+\.\d+`, "X"}, {`image=\d+ms`, "image=X"}, {`Retry-After: \d+`, "Retry-After: X"}} {
		out = regexp.MustCompile(rule[0]).ReplaceAllString(out, rule[1])
	}
	return strings.TrimSpace(out)
}

// kinds are the lines of an output, each once: how many of eight requests find the queue
// full depends on how soon all are sent.
func kinds(out string) []string {
	lines := strings.Split(out, "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

func TestClassifierPage(t *testing.T) {
	r := read(t, "docs/classifier.md", "## A replica", "## The share")
	address := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	r.address("127.0.0.1:8080", address)
	served := r.step("scanflow classifier serve")
	out := r.starts(r.replace.Replace(served.command))
	want := unmeasured(alike(r.replace.Replace(served.shown)))
	require.Eventually(t, func() bool { return strings.Contains(unmeasured(alike(out())), want) }, time.Minute, 10*time.Millisecond)
	for _, s := range slices.Concat(r.steps("scanflow classifier sample"), r.steps("curl -s -H"), r.steps("seq")) {
		got, err := r.shell(s.command).CombinedOutput()
		require.NoError(t, err, string(got))
		require.Equal(t, kinds(unmeasured(s.shown)), kinds(unmeasured(string(got))), s.command)
	}
	s := r.step("curl -s http")
	got, err := r.shell(s.command).CombinedOutput()
	require.NoError(t, err, string(got))
	names := regexp.MustCompile(`(?m) \S+$`)
	require.Equal(t, names.ReplaceAllString(strings.TrimSpace(s.shown), ""), names.ReplaceAllString(strings.TrimSpace(string(got)), ""))

	batch := read(t, "docs/classifier.md", "## A batch", "There is a line")
	for _, s := range slices.Concat(batch.steps("scanflow classifier batch"), batch.steps("cat")) {
		got, err := batch.shell(s.command).CombinedOutput()
		require.NoError(t, err, string(got))
		require.Equal(t, unmeasured(s.shown), unmeasured(string(got)), s.command)
	}
}

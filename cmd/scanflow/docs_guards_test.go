package main

import (
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Every file and command of the page on guards, in its order.
func TestGuardsPage(t *testing.T) {
	t.Parallel()
	r := read(t, "docs/guards.md", "", "")
	out, err := r.shell(r.step("mkdir").command).CombinedOutput()
	require.NoError(t, err, string(out))
	r.files()
	r.runs(r.step("scanflow test"))
	r.runs(r.step("scanflow check"))
	r.runs(r.step("echo"))
	r.runs(r.step("scanflow eval"))
	r.runs(r.step("sed"))

	r.starts(r.step("scanflow run").command + " --listen 127.0.0.1:0")
	for _, s := range r.steps("scanflow decisions") {
		require.Eventually(t, func() bool {
			out, err := r.shell(s.command).Output()
			return err == nil && normal(string(out)) == normal(s.shown)
		}, 30*time.Second, 200*time.Millisecond, s.command+"\n"+shownBy(r.shell(s.command)))
	}
}

func shownBy(c *exec.Cmd) string {
	out, _ := c.CombinedOutput()
	return string(out)
}

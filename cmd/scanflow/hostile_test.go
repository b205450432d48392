package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// escapes is a body that nothing in a process can stop: it compares two values of 2^60
// elements that share their structure, which OPA's core does without looking up.
func escapes() string {
	double := func(v string) string {
		lines := []string{v + "0 := [1]"}
		for i := range 60 {
			lines = append(lines, fmt.Sprintf("%[1]s%[2]d := [x | some x in [%[1]s%[3]d, %[1]s%[3]d]]", v, i+1, i))
		}
		return strings.Join(lines, "\n\t")
	}
	return double("a") + "\n\t" + double("b") + "\n\tcount({a60, b60}) == 1"
}

// withEscape is a strategy that proposes nothing, and hangs once its condition holds.
func withEscape(name, condition string) string {
	return fmt.Sprintf(`package scanflow.strategies.t.%s

# METADATA
# title: T
# description: D.
# custom: {layer: infrastructure}
propose contains {"primitive": "webhook", "with": {"url": "http://127.0.0.1:1/"}, "reason": "r", "because": ["load"]} if {
	%s
	%s
}
`, name, condition, escapes())
}

// A strategy that hangs at a moment for which no test and no document prepared costs the
// process one life: the next asks it no more, and all others as before.
func TestAStrategyThatHangsCostsOneRestart(t *testing.T) {
	s := newSite(t)
	s.write("policies/bomb.rego", withEscape("bomb", "input.signals.load.value == 666"))
	s.agent("healthy", "")
	bomb := strings.Replace(s.read("agents/watcher.yaml"), "name: watcher", "name: bomber", 1)
	s.write("agents/bomber.yaml", strings.Replace(bomb, "strategies: [t.call]", "strategies: [t.call, t.bomb]", 1))
	require.NoError(t, os.Remove(s.agents+"/watcher.yaml"))

	d := startDaemon(t, s.args()...)
	pid := d.cmd.Process.Pid
	s.calls(2)
	s.app.set(`{"load": 666}`)
	d.said("beginning anew")
	d.saidAgain(`"@message":"running"`, 2)
	d.refreshAddress()
	require.NoError(t, syscall.Kill(pid, 0), "it is the same process")

	code, ready := d.get("/readyz")
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.Contains(t, ready, "strategy t.bomb is in quarantine for revision")
	require.Contains(t, ready, "bomb.rego:")
	d.metric(`scanflow_policy_quarantined{kind="strategy",name="t.bomb"} 1`)
	d.metric(`scanflow_firings_total{agent="test/healthy",trigger="every"}`)
	require.Eventually(t, func() bool {
		_, raw := d.get("/v1/agents")
		return strings.Contains(raw, "strategy t.bomb: is in quarantine")
	}, 20*time.Second, 10*time.Millisecond)
	require.Len(t, s.app.keys(), 2, "no act came of it")

	// A new revision frees it.
	s.write("policies/bomb.rego", strings.Replace(withEscape("bomb", "input.signals.load.value == 666"), escapes(), "input.signals.load.value < 0", 1))
	require.Eventually(t, func() bool {
		code, _ := d.get("/readyz")
		return code == http.StatusOK
	}, 30*time.Second, 10*time.Millisecond)
	require.Equal(t, 1, strings.Count(d.text(), "beginning anew"))
	d.stop()
}

// The same daemon gets SIGTERM while the strategy hangs.
func TestAStopWhileAStrategyHangsIsOverInTime(t *testing.T) {
	s := newSite(t)
	s.write("policies/bomb.rego", withEscape("bomb", "input.signals.load.value == 666"))
	s.write("agents/watcher.yaml", strings.Replace(s.read("agents/watcher.yaml"), "strategies: [t.call]", "strategies: [t.bomb]", 1))
	d := startDaemon(t, s.args()...)
	d.metric(`scanflow_firings_total{agent="test/watcher",trigger="every"}`)
	s.app.set(`{"load": 666}`)
	firings := func() string {
		_, body := d.get("/metrics")
		for line := range strings.Lines(body) {
			if strings.HasPrefix(line, `scanflow_firings_total{agent="test/watcher"`) {
				return line
			}
		}
		return ""
	}
	require.Eventually(t, func() bool { // two looks of a tick of 100 ms apart: it hangs
		before := firings()
		return before != "" && settled(func() bool { return firings() == before })
	}, 20*time.Second, time.Millisecond)
	d.stop()
}

// settled reports whether a condition holds for half a second.
func settled(holds func() bool) bool {
	for until := time.Now().Add(500 * time.Millisecond); time.Now().Before(until); {
		if !holds() {
			return false
		}
	}
	return true
}

// refreshAddress reads the new address of a daemon that replaced its process.
func (d *daemon) refreshAddress() {
	for _, line := range d.lines() {
		if address, is := line["address"].(string); is && line["@message"] == "running" {
			d.url = "http://" + address
		}
	}
}

// A policy that takes all memory ends the process once, from outside; the next life meets it
// in a child process.
func TestAfterAnUncleanEndStrategiesAreTriedInAChild(t *testing.T) {
	s := newSite(t)
	s.write("policies/bomb.rego", withEscape("bomb", "input.signals.load.value == 666"))
	s.write("agents/watcher.yaml", strings.Replace(s.read("agents/watcher.yaml"), "strategies: [t.call]", "strategies: [t.call, t.bomb]", 1))
	d := startDaemon(t, s.args()...)
	s.calls(1)
	d.kill()
	s.app.set(`{"load": 666}`)
	d = startDaemon(t, s.args()...)
	d.said("the last process did not end in order")
	d.said("put into quarantine")
	d.metric(`scanflow_policy_quarantined{kind="strategy",name="t.bomb"} 1`)
	require.NotContains(t, d.text(), "beginning anew")
	d.stop()

	d = startDaemon(t, s.args()...) // it is still known, after an end in order
	d.metric(`scanflow_policy_quarantined{kind="strategy",name="t.bomb"} 1`)
	require.NotContains(t, d.text(), "did not end in order")
	d.stop()
}

// Whatever the files hold by then, the new process continues with what ran before: an edit
// of a policy or a manifest that was refused must not stop the other agents.
func TestAProcessThatBeginsAnewGoesOnWithWhatRan(t *testing.T) {
	for name, edit := range map[string]func(s *site){
		"policies": func(s *site) { s.write("policies/bomb.rego", s.read("policies/bomb.rego")+"nonsense here\n") },
		"manifest": func(s *site) { s.write("agents/healthy.yaml", s.read("agents/healthy.yaml")+"nonsense\n") },
		"removed":  func(s *site) { require.NoError(s.t, os.Rename(s.policies, s.policies+".away")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.write("policies/bomb.rego", withEscape("bomb", "input.signals.load.value == 666"))
			s.agent("healthy", "")
			s.write("agents/watcher.yaml", strings.Replace(s.read("agents/watcher.yaml"), "strategies: [t.call]", "strategies: [t.bomb]", 1))
			d := startDaemon(t, s.args()...)
			s.calls(1)
			edit(s)
			require.Eventually(t, func() bool { return strings.Contains(d.text(), "refused, the old ones") }, 30*time.Second, 5*time.Millisecond)
			s.app.set(`{"load": 666}`)
			d.said("beginning anew")
			d.saidAgain(`"@message":"running"`, 2)
			d.refreshAddress()
			d.said("this process goes on with what the last one ran on")
			d.metric(`scanflow_policy_quarantined{kind="strategy",name="t.bomb"} 1`)
			d.metric(`scanflow_firings_total{agent="test/healthy",trigger="every"}`)
			d.stop()
			out, code := scanflow(t, append([]string{"run", "--listen", "127.0.0.1:0"}, s.args()...)...)
			require.Equal(t, 1, code, "after an end in order, what is written down has to be right: %s", out)
			require.NotContains(t, out, "goes on with what")
		})
	}
}

// A strategy that ends the process by a stack overflow is quarantined by the next process,
// even if the signal that caused it has changed by then.
func TestWhatEndedTheProcessOutrightIsKnownThoughTheSignalHasPassed(t *testing.T) {
	s := newSite(t)
	s.write("policies/bomb.rego", strings.Replace(withEscape("bomb", "input.signals.load.value == 666"), "count({a60, b60}) == 1", "a60 = b60", 1))
	s.agent("healthy", "")
	s.write("agents/watcher.yaml", strings.Replace(s.read("agents/watcher.yaml"), "strategies: [t.call]", "strategies: [t.bomb]", 1))
	d := startDaemon(t, s.args()...)
	s.calls(1)
	s.app.set(`{"load": 666}`)
	select {
	case err := <-d.exit:
		require.Error(t, err)
		require.Contains(t, d.text(), "stack overflow")
	case <-time.After(30 * time.Second): // it was stopped like any other that hangs
		require.Contains(t, d.text(), "beginning anew")
		d.kill()
	}
	s.app.set(`{"load": 5}`)
	d = startDaemon(t, s.args()...)
	d.said("put into quarantine")
	d.metric(`scanflow_policy_quarantined{kind="strategy",name="t.bomb"} 1`)
	d.metric(`scanflow_firings_total{agent="test/healthy",trigger="every"}`)
	s.app.set(`{"load": 666}`)
	d.metric(`scanflow_firings_total{agent="test/watcher",trigger="every"} 1`)
	d.stop()
}

package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// The log says once that a signal is not ok, and why, and once that it is again.
func TestTheLogTellsOfSignals(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.app.set("load 50\n")
	s.sensing(twoTargets, fmt.Sprintf(`
    - {name: load, scrape: {url: "%s/?key=s3cret", metric: load}}`, s.app.URL))
	d := startDaemon(t, s.args()...)
	d.metric(`scanflow_signals{agent="test/watcher",signal="load",state="ok"} 2`)
	require.NotContains(t, d.text(), "signal is")
	s.app.set("lo{d")
	d.said("signal is not ok")
	d.metric(`scanflow_signals{agent="test/watcher",signal="load",state="error"} 2`)
	s.app.set("load 50\n")
	d.said("signal is ok again")
	d.stop()
	problems, code := scanflow(t, "decisions", "--data", s.data, "--problems", "--wide", "--agent", "watcher")
	require.Equal(t, 0, code, problems)
	for _, target := range []string{"prod/api", "prod/web"} {
		require.Equal(t, 1, strings.Count(problems, "signal load of "+target+": error: "), "once, when it began:\n%s", problems)
		require.Equal(t, 1, strings.Count(problems, "signal load of "+target+" is ok again"), problems)
	}
	require.NotContains(t, problems, "s3cret")

	var lines []map[string]any
	for _, line := range d.lines() {
		if strings.HasPrefix(line["@message"].(string), "signal is") {
			lines = append(lines, line)
		}
	}
	require.Len(t, lines, 2, "once each, at many firings of two targets")
	require.Equal(t, "warn", lines[0]["@level"])
	require.Equal(t, "load", lines[0]["signal"])
	require.Equal(t, "error", lines[0]["state"])
	require.Equal(t, "2 of 2", lines[0]["targets"])
	require.Equal(t, "prod/api", lines[0]["first"])
	require.Contains(t, lines[0]["problem"], s.app.URL)
	require.Equal(t, "info", lines[1]["@level"])
	require.NotContains(t, d.text(), "s3cret")
}

func TestSignalLog(t *testing.T) {
	var out bytes.Buffer
	l := newDecisionLog(hclog.New(&hclog.LoggerOptions{Output: &out, DisableTime: true}), true)
	fired := func(targets int, unfit ...engine.SignalHealth) string {
		out.Reset()
		l.Fired(engine.FiringRecord{Agent: "a/b", ID: "f-1", Targets: targets, Unhealthy: unfit})
		return out.String()
	}
	first := engine.TargetID{Namespace: "n", Name: "t-3"}
	empty := engine.SignalHealth{Sensor: "x", State: engine.Empty, Targets: 9, First: first, Problem: "no series"}
	failed := engine.SignalHealth{Sensor: "x", State: engine.Error, Targets: 1, First: first, Problem: "refused"}
	whole := engine.SignalHealth{Sensor: "x", State: engine.Error, Targets: 10, First: first, Problem: "refused", Whole: true}

	require.Equal(t, "[INFO]  signal is not ok: agent=a/b firing=f-1 signal=x state=empty targets=\"9 of 10\" first=n/t-3 problem=\"no series\"\n",
		fired(10, empty), "at the start there may be nothing to measure yet")
	empty.Targets, empty.Problem = 8, "other"
	require.Empty(t, fired(10, empty), "what changes in the figures is no news")
	require.Contains(t, fired(10, failed), "[WARN]  signal is not ok: agent=a/b firing=f-1 signal=x state=error")
	require.Empty(t, fired(0), "no fleet, so nobody was looked at")
	require.Empty(t, fired(10, failed))
	require.Empty(t, fired(10, whole), "the firing's problems say it")
	require.Contains(t, fired(10, empty), "[WARN]")
	require.Equal(t, "[INFO]  signal is ok again: agent=a/b firing=f-1 signal=x\n", fired(10))
	require.Empty(t, fired(10))
	require.Empty(t, fired(10, whole))
	require.Empty(t, fired(10), "the problem has passed, which is told as such")
	require.Contains(t, fired(10, empty), "[WARN]", "it was ok, and is not")
}

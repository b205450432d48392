package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/freeport"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app"
	"github.com/scanflow-k8s/scanflow/engine/journal"
)

const askPolicy = `package scanflow.strategies.t.ask

propose contains p if {
	asked := object.get(input.memory, ["t.ask", "note"], 0)
	asked < input.params.rounds
	p := {"primitive": "event.send", "with": {"type": "t.work", "data": {"n": asked}}, "reason": "more_work", "because": [], "note": asked + 1}
}
`

const workPolicy = `package scanflow.strategies.t.work

propose contains p if {
	input.trigger.event.type == "t.work"
	p := {
		"primitive": "webhook",
		"with": {"url": input.params.url, "body": {"event": input.trigger.event.id}},
		"reason": "asked",
		"because": [],
	}
}
`

// line is two scanflows: west asks, and east works.
type line struct {
	*site
	eastAt string // its address
}

// newLine asks for work so many times for each of so many targets.
func newLine(t *testing.T, targets, rounds int, every time.Duration) *line {
	s := newSite(t)
	require.NoError(t, os.RemoveAll(s.agents))
	require.NoError(t, os.RemoveAll(s.policies))
	s.write("policies/ask.rego", askPolicy)
	s.write("policies/work.rego", workPolicy)
	var static strings.Builder
	for i := range targets {
		fmt.Fprintf(&static, "{name: t%d},", i)
	}
	s.write("west/asker.yaml", fmt.Sprintf(`apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: asker, namespace: test}
spec:
  targets: {static: [%s]}
  triggers: [{name: tick, every: %s}]
  strategies: [t.ask]
  primitives: [event.send]
  params: {rounds: %d}
`, strings.TrimSuffix(static.String(), ","), every, rounds))
	s.write("east/worker.yaml", fmt.Sprintf(`apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: worker, namespace: test}
spec:
  targets: {static: [{name: bench}]}
  triggers: [{name: asked, event: {type: t.work, from: [test/asker]}}]
  strategies: [t.work]
  primitives: [webhook]
  params: {url: %q}
`, s.app.URL+"/done"))
	s.write("token", "between-us\n")
	s.write("senders.yaml", fmt.Sprintf("senders: [{name: west, peer: true, bearerToken: {file: %q}}]\n", s.dir+"/token"))
	return &line{site: s, eastAt: freeport.Reserve(t)}
}

func (l *line) east() *daemon {
	return startDaemon(l.t, "-f", l.dir+"/east", "--policies", l.policies, "--data", l.dir+"/east-data", "--listen", l.eastAt, "--senders", l.dir+"/senders.yaml", "--log-level", "info")
}

func (l *line) west() *daemon {
	return startDaemon(l.t, "-f", l.dir+"/west", "--policies", l.policies, "--data", l.dir+"/west-data", "--peer", "http://"+l.eastAt, "--peer-token-file", l.dir+"/token", "--log-level", "info")
}

// done is how often each event had its effect, by the identity of the act.
func (l *line) done() map[string]map[string]bool {
	l.app.mu.Lock()
	defer l.app.mu.Unlock()
	out := map[string]map[string]bool{}
	for i, r := range l.app.calls {
		var body struct{ Event string }
		require.NoError(l.t, json.Unmarshal([]byte(l.app.body[i]), &body))
		if out[body.Event] == nil {
			out[body.Event] = map[string]bool{}
		}
		out[body.Event][r.Header.Get("Idempotency-Key")] = true
	}
	return out
}

func (l *line) calls() int {
	l.app.mu.Lock()
	defer l.app.mu.Unlock()
	return len(l.app.calls)
}

// Never 5, between two processes of which the one that works is killed time and again:
// no event is lost, and none has its effect twice.
func TestKillTheReceiverOfManyEvents(t *testing.T) {
	targets, rounds, kills := 50, 10, 3
	if os.Getenv("SCANFLOW_SOAK") != "" {
		targets, rounds, kills = 1000, 100, 20
	}
	n := targets * rounds
	l := newLine(t, targets, rounds, 100*time.Millisecond)
	east := l.east()
	began := time.Now()
	west := l.west()
	for i := range kills {
		require.Eventually(t, func() bool { return l.calls() > n*(i+1)/(kills+2) }, 10*time.Minute, 5*time.Millisecond)
		east.kill()
		east = l.east()
	}
	require.Eventually(t, func() bool { return l.calls() >= n && len(l.done()) == n }, 20*time.Minute, 200*time.Millisecond, "events were lost")
	took := time.Since(began)
	for event, acts := range l.done() {
		require.Len(t, acts, 1, "event %s was acted on as %d acts", event, len(acts))
	}
	for _, d := range []*daemon{west, east} {
		out, code := scanflow(t, "events", "--server", d.url)
		require.Equal(t, 0, code, out)
		require.Contains(t, out, "no events wait, and none is dead")
	}
	t.Logf("%d events, the receiver killed %d times: %.0f events/s from the sender's decision to the effect", n, kills, float64(n)/took.Seconds())
	west.stop()
	east.stop()
}

// On a quiet line: how long an event takes from the sender's act to the firing that it
// causes in the other process. The figure is in docs/performance.md.
func TestSoakAQuietLine(t *testing.T) {
	events := 20
	if os.Getenv("SCANFLOW_SOAK") != "" {
		events = 1000
	}
	l := newLine(t, 1, events, 100*time.Millisecond)
	east, west := l.east(), l.west()
	require.Eventually(t, func() bool { return len(l.done()) == events }, 10*time.Minute, 20*time.Millisecond)
	west.stop()
	east.stop()
	r, err := journal.OpenReader(t.Context(), app.JournalDir(l.dir+"/east-data"))
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	firings, err := r.Firings(t.Context(), journal.Filter{})
	require.NoError(t, err)
	require.Len(t, firings, events, "each event fires once, and nothing else does")
	var delays []time.Duration
	for _, f := range firings {
		delays = append(delays, f.At.Sub(f.Trigger.Event.Time))
	}
	slices.Sort(delays)
	t.Logf("%d events, one at a time: p50 %s, p99 %s", events, delays[len(delays)/2], delays[len(delays)*99/100])
}

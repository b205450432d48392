package loop_test

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/loop"
)

// sized wants the replicas of the agent's params.
const sized = `package scanflow.strategies.t.sized

propose contains {"primitive": "scale", "with": {"replicas": input.params.replicas}, "reason": "sized", "because": []}
`

// wants is an agent that wants replicas, and holds what it wrote for five minutes.
func (b *bench) wants(name string, replicas float64, change ...func(*engine.Spec)) engine.Spec {
	return b.spec(append([]func(*engine.Spec){func(s *engine.Spec) {
		s.Name, s.Strategies, s.Sensors = name, []string{"t.sized"}, nil
		s.Params, s.Guards.Hold = map[string]any{"replicas": replicas}, 5*time.Minute
	}}, change...)...)
}

// refusalOf moves the clock until an agent is refused by claims, and returns why.
func (b *bench) refusalOf(agent string) (detail string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		for len(b.fired) > 0 {
			f := <-b.fired
			for _, d := range f.Decisions {
				if f.Agent == agent && d.By == "claims" {
					detail = d.Detail
				}
			}
		}
		if detail == "" {
			b.clock.Advance(time.Second)
		}
		return detail != ""
	}, 20*time.Second, time.Millisecond)
	return detail
}

// After a restart, the field that another agent wrote is held for as long as before it.
func TestAHoldOutlivesTheProcess(t *testing.T) {
	b := newBench(t, sized)
	b.world.set("web", 1)
	b.run(b.wants("a", 7))
	require.Equal(t, "replicas 1 -> 7", b.nextAct().Diff)
	b.run(b.wants("a", 7), b.wants("b", 1))
	require.Contains(t, b.refusalOf("ns/b"), "replicas is held by scale of ns/a (held until 2026-03-01T12:05:")
	b.restart()
	b.run(b.wants("a", 7), b.wants("b", 1))
	why := b.refusalOf("ns/b")
	require.Contains(t, why, "replicas is held by scale of ns/a (held until 2026-03-01T12:05:")
	require.Contains(t, why, "Z it wrote replicas 1 -> 7")
	require.Equal(t, 1, b.world.count())
	held := b.manager.Claims()
	require.Len(t, held, 1)
	require.Equal(t, []any{"held", "replicas 1 -> 7", engine.Up}, []any{held[0].State, held[0].Change, held[0].Direction})

	// What the refusal advises takes effect at once.
	b.run(b.wants("a", 7), b.wants("b", 1, func(s *engine.Spec) { s.Priority, s.Generation = 1, "2" }))
	act := b.nextAct()
	require.Equal(t, []any{"ns/b", "replicas 7 -> 1"}, []any{act.Agent, act.Diff})
	require.Equal(t, "ns/a", act.Reverses.Agent)
	require.Contains(t, b.refusalOf("ns/a"), "held by scale of ns/b")
	b.run(b.wants("a", 7), b.wants("b", 1, func(s *engine.Spec) { s.Priority, s.Guards.Hold, s.Generation = 1, 0, "3" }))
	b.withinHours(func() bool { return b.world.state()["web"] == 7 })
}

// What an agent held is free once the agent is gone.
func TestAHoldEndsWithItsAgent(t *testing.T) {
	b := newBench(t, sized)
	b.world.set("web", 1)
	b.run(b.wants("a", 7))
	b.nextAct()
	b.run(b.wants("b", 1))
	require.Equal(t, "ns/b", b.nextAct().Agent)
	require.Less(t, b.clock.Now().Sub(start), time.Minute)
}

// A reversal is a warning in the log, and in the journal after a restart.
func TestAReversalIsLogged(t *testing.T) {
	b := newBench(t, sized)
	var log lockedBuffer
	b.manager.Log = hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Warn})
	b.world.set("web", 1)
	b.run(b.wants("a", 7, func(s *engine.Spec) { s.Guards.Hold = 0; s.Triggers = s.Triggers[:1] }))
	b.nextAct()
	release := make(chan struct{})
	b.world.block = func(string) <-chan struct{} { return release }
	b.run(b.wants("b", 1, func(s *engine.Spec) { s.Guards.Hold = 0 }))
	require.Eventually(t, func() bool { return bytes.Contains(log.bytes(), []byte("an act reverses that of another agent")) }, 10*time.Second, time.Millisecond)
	require.Contains(t, string(log.bytes()), `reverses="replicas 1 -> 7" of=ns/a`)
	open, err := b.journal.Open(t.Context(), "ns/b")
	require.NoError(t, err)
	require.Equal(t, "ns/a", open[0].Reverses.Agent)
	close(release)
	require.Equal(t, "ns/a", b.nextAct().Reverses.Agent)
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.b.Bytes())
}

// A preview sees what agents of other processes hold, as a turn does.
func TestAPreviewSeesAHold(t *testing.T) {
	b := newBench(t, sized)
	b.world.set("web", 1)
	spec := b.wants("b", 4)
	for name, row := range map[string]struct {
		priority int
		want     engine.Verdict
	}{"equal": {0, engine.Refused}, "above": {1, engine.Admitted}} {
		t.Run(name, func(t *testing.T) {
			spec.Priority = row.priority
			config := b.manager.Config
			config.RemoteClaims = func() map[engine.TargetID][]engine.HeldClaim {
				web := engine.TargetID{Kind: "Deployment", Namespace: "ns", Name: "web"}
				return map[engine.TargetID][]engine.HeldClaim{web: {{
					Kind: web.Kind, Target: web.String(), Claim: "replicas", Agent: "ns/far", Verb: "scale", State: "held", Until: b.clock.Now().Add(time.Minute),
				}}}
			}
			p, err := loop.PreviewFleet(context.WithoutCancel(t.Context()), config, spec, 0)
			require.NoError(t, err)
			require.Equal(t, row.want, p.Decisions[0].Verdict, p.Decisions[0].Detail)
		})
	}
}

package loop_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// fakeWatcher is a watcher whose changes a test sends.
type fakeWatcher struct{ changes chan engine.ObjectChange }

func (o *fakeWatcher) Watch(ctx context.Context, _ engine.WatchSpec, changed func(engine.ObjectChange)) error {
	for {
		select {
		case c := <-o.changes:
			changed(c)
		case <-ctx.Done():
			return nil
		}
	}
}

func change(name string, from, to any) engine.ObjectChange {
	return engine.ObjectChange{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "ns", Name: name, Type: "changed", From: from, To: to}
}

func TestAWatchTriggerFiresForAChange(t *testing.T) {
	b := newBench(t)
	b.world.set("web", 1)
	b.run(b.spec(func(s *engine.Spec) {
		s.Triggers = []engine.Trigger{{Name: "ready", Watch: &engine.WatchSpec{Field: "status.readyReplicas"}}}
	}))
	b.watcher.changes <- change("web", 2, 1)
	f := b.next()
	require.Equal(t, engine.TriggerInfo{Name: "ready", Kind: "watch", Watch: &engine.Watched{Objects: []engine.ObjectChange{change("web", 2, 1)}}}, f.Trigger)

	// Changes in quick succession are one firing, with each object once: its first value and
	// its last.
	b.watcher.changes <- change("web", 1, 0)
	b.watcher.changes <- change("web", 0, 3)
	b.watcher.changes <- change("api", 1, 2)
	b.watcher.changes <- change("api", 2, 2) // received only after those before it
	require.Empty(t, b.fired, "not before its pause is over")
	b.clock.Advance(500 * time.Millisecond)
	f = b.next()
	require.Equal(t, []engine.ObjectChange{change("web", 1, 3), change("api", 1, 2)}, f.Trigger.Watch.Objects)
	b.clock.Advance(time.Minute)
	require.Empty(t, b.fired)
}

// The replica guard bounds the minimum and maximum of an autoscaler too.
func TestTheReplicaGuardBoundsAnAutoscaler(t *testing.T) {
	const bounding = `package scanflow.strategies.t.bounding

propose contains p if {
	input.signals.load.value > 10
	p := {"primitive": "autoscaler", "with": {"min": 0, "max": 50}, "reason": "load", "because": ["load"]}
}
`
	b := newBench(t, bounding)
	b.verbs["autoscaler"] = engine.Verb{Actuator: b.jobs, Claim: func(map[string]any) string { return "replicas" }}
	b.world.set("web", 1)
	b.load.setValue("web", 20)
	b.run(b.spec(func(s *engine.Spec) {
		s.Strategies, s.Primitives, s.Guards.Replicas = []string{"t.bounding"}, []string{"autoscaler"}, &engine.ReplicaGuard{Min: 2, Max: 10, StepUp: 1}
	}))
	d := only(t, b.next())
	require.Equal(t, map[string]any{"min": 2.0, "max": 10.0}, d.With)
	require.Equal(t, map[string]any{"min": 0.0, "max": 50.0}, d.Proposed)
	require.Equal(t, "a job (min clamped from 0 to 2, max clamped from 50 to 10)", d.Detail)
	require.Equal(t, engine.Admitted, d.Verdict)
}

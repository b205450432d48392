package loop_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// objects is a watcher whose changes a test tells.
type objects struct{ told chan engine.ObjectChange }

func (o *objects) Watch(ctx context.Context, _ engine.WatchSpec, changed func(engine.ObjectChange)) error {
	for {
		select {
		case c := <-o.told:
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
	b.objects.told <- change("web", 2, 1)
	f := b.next()
	require.Equal(t, engine.TriggerInfo{Name: "ready", Kind: "watch", Watch: &engine.Watched{Objects: []engine.ObjectChange{change("web", 2, 1)}}}, f.Trigger)

	// Changes that come thick and fast are one firing: each object once, from what it
	// was to what it is.
	b.objects.told <- change("web", 1, 0)
	b.objects.told <- change("web", 0, 3)
	b.objects.told <- change("api", 1, 2)
	b.objects.told <- change("api", 2, 2) // taken once the ones before were
	require.Empty(t, b.fired, "not before its pause is over")
	b.clock.Advance(500 * time.Millisecond)
	f = b.next()
	require.Equal(t, []engine.ObjectChange{change("web", 1, 3), change("api", 1, 2)}, f.Trigger.Watch.Objects)
	b.clock.Advance(time.Minute)
	require.Empty(t, b.fired)
}

// Nothing lower or higher than the guard may be given to an autoscaler either.
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
	b.load.to("web", 20)
	b.run(b.spec(func(s *engine.Spec) {
		s.Strategies, s.Primitives, s.Guards.Replicas = []string{"t.bounding"}, []string{"autoscaler"}, &engine.ReplicaGuard{Min: 2, Max: 10, StepUp: 1}
	}))
	d := only(t, b.next())
	require.Equal(t, map[string]any{"min": 2.0, "max": 10.0}, d.With)
	require.Equal(t, map[string]any{"min": 0.0, "max": 50.0}, d.Proposed)
	require.Equal(t, "a job (min clamped from 0 to 2, max clamped from 50 to 10)", d.Detail)
	require.Equal(t, engine.Admitted, d.Verdict)
}

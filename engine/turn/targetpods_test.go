package turn

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// A change of a pod is a change of the target, by which its strategies are evaluated again.
func TestAChangeOfAPodChangesTheTarget(t *testing.T) {
	with := func(pods ...engine.TargetPod) *engine.Target {
		out := engine.Target{Namespace: "ns", Name: "web"}
		out.SetPods(pods)
		return &out
	}
	a := engine.TargetPod{Name: "a", Ready: true, Restarts: 1, StartedNS: 2, ReadySinceNS: 3}
	changed := func(change func(*engine.TargetPod)) engine.TargetPod {
		out := a
		change(&out)
		return out
	}
	omitted := with(a)
	omitted.PodsOmitted = 1
	for name, other := range map[string]*engine.Target{
		"another pod":   with(changed(func(p *engine.TargetPod) { p.Name = "b" })),
		"not ready":     with(changed(func(p *engine.TargetPod) { p.Ready = false })),
		"a restart":     with(changed(func(p *engine.TargetPod) { p.Restarts = 2 })),
		"made anew":     with(changed(func(p *engine.TargetPod) { p.StartedNS = 4 })),
		"ready again":   with(changed(func(p *engine.TargetPod) { p.ReadySinceNS = 5 })),
		"one more":      with(a, engine.TargetPod{Name: "b"}),
		"none":          with(),
		"unknown":       {Namespace: "ns", Name: "web"},
		"more left out": omitted,
	} {
		require.Equal(t, engine.TargetPods, changedTarget(with(a), other), name)
		require.Equal(t, engine.TargetPods, changedTarget(other, with(a)), name)
	}
	require.Equal(t, engine.TargetPods, changedTarget(with(), &engine.Target{Namespace: "ns", Name: "web"}), "none is not unknown")
	require.Zero(t, changedTarget(with(a), with(a)))
}

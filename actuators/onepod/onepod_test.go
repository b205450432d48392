package onepod

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

func pod(name string, ready, terminating bool) engine.OwnPod {
	return engine.OwnPod{TargetPod: engine.TargetPod{Name: name, Ready: ready, StartedNS: 5}, UID: "uid-" + name, Terminating: terminating}
}

func TestChoose(t *testing.T) {
	pods := []engine.OwnPod{pod("a", true, false), pod("b", false, false), pod("c", false, true)}
	seen := func(startedNS int64) *engine.Target {
		return &engine.Target{Pods: []engine.TargetPod{{Name: "a", StartedNS: startedNS}}}
	}
	for name, row := range map[string]struct {
		target *engine.Target
		pods   []engine.OwnPod
		pod    string
		want   string // the error
	}{
		"as decided":          {seen(5), pods, "a", ""},
		"not in the document": {seen(5), pods, "b", ""}, // it may be one of those that were left out
		"terminating":         {seen(5), pods, "c", ""},
		"replaced":            {seen(4), pods, "a", "it is not the pod that was decided on: that one was replaced by another of the same name"},
		"of another":          {seen(5), pods, "d", "the target has no such pod; it has a, b"},
		"of none":             {seen(5), nil, "a", "the target has no such pod; it has none"},
		"of many":             {seen(5), []engine.OwnPod{pod("1", true, false), pod("2", true, false), pod("3", true, false), pod("4", true, false), pod("5", true, false), pod("6", true, false), pod("7", true, false)}, "a", "the target has no such pod; it has 1, 2, 3, 4, 5 and 2 more"},
		"without documents":   {&engine.Target{}, pods, "a", "the document does not have the target's pods; set spec.targets.pods: true in the agent's manifest"},
	} {
		got, err := Choose(row.target, row.pods, row.pod)
		if row.want != "" {
			require.EqualError(t, err, row.want, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, "uid-"+row.pod, got.UID, name)
	}
}

func TestCountsOfPods(t *testing.T) {
	orphan := pod("z", true, false)
	orphan.Orphan = true
	pods := []engine.OwnPod{pod("a", true, false), pod("b", false, false), pod("c", true, true), orphan}
	active, ready := Count(pods)
	require.Equal(t, []int{2, 1}, []int{active, ready}, "one that terminates, or that nothing made, is no replica")
	require.Equal(t, 1, ReadyAfter(pods, pods[0]), "the next one is ready in its place")
	require.Equal(t, 2, ReadyAfter(pods, pods[1]), "one more than before")
	for uid, want := range map[string][]bool{"uid-a": {true, false}, "uid-c": {true, true}, "uid-d": {false, false}} {
		exists, terminates := State(pods, uid)
		require.Equal(t, want, []bool{exists, terminates}, uid)
	}
}

package local

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/actuators/local/testlocal"
	"github.com/scanflow-k8s/scanflow/engine"
)

// podful returns a target with its pods.
func podful(t *testing.T, o *orchestrator.Orchestrator, name string) engine.Target {
	t.Helper()
	f, err := o.Fleet(engine.Selector{Kind: "Deployment", Pods: true})
	require.NoError(t, err)
	targets, err := f.Targets(t.Context())
	require.NoError(t, err)
	for _, target := range targets {
		if target.Name == name {
			return target
		}
	}
	t.Fatalf("no target %s", name)
	return engine.Target{}
}

func ofPod(target engine.Target, pod any) engine.Proposal {
	return engine.Proposal{Primitive: "restart", With: map[string]any{"pod": pod}, Identity: "change-1", Target: target}
}

func TestRestartOfOnePod(t *testing.T) {
	dir := t.TempDir()
	o := testlocal.Open(t, dir)
	testlocal.Reload(t, o, testlocal.Web("web", 2)+testlocal.Web("other", 1))
	testlocal.WaitReady(t, o, "web", "other")
	target, verb := podful(t, o, "web"), restarter{o}
	stuck, kept := target.Pods[0].Name, target.Pods[1].Name
	before := testlocal.Processes(t, dir, "web")
	unlisted := target
	unlisted.Pods = nil
	for name, row := range map[string]struct {
		p    engine.Proposal
		want string
	}{
		"not one of its pods":  {ofPod(target, "web-x"), "restart pod web-x of test/web: the target has no such pod; it has " + stuck + ", " + kept},
		"another's pod":        {ofPod(target, podful(t, o, "other").Pods[0].Name), "the target has no such pod; it has " + stuck + ", " + kept},
		"an empty name":        {ofPod(target, ""), "with.pod: must not be empty; leave it out to restart every pod"},
		"null":                 {ofPod(target, nil), "with.pod"},
		"no pods in documents": {ofPod(unlisted, stuck), "set spec.targets.pods: true in the agent's manifest"},
	} {
		_, err := verb.Plan(t.Context(), row.p)
		require.ErrorContains(t, err, row.want, name)
	}

	p := ofPod(target, stuck)
	planned, err := verb.Plan(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, "replace pod "+stuck+", one of 2, 2 ready", planned.Diff)
	begun, err := verb.Resume(t.Context(), planned)
	require.NoError(t, err)
	require.False(t, begun)
	change, out := act(t, o, p)
	require.Equal(t, engine.Done, out.Status)
	require.Contains(t, out.Detail, ", 2 of 2 ready")
	testlocal.Eventually(t, "the pod goes", func() bool { return len(testlocal.Processes(t, dir, "web")) == 2 })
	after := testlocal.Processes(t, dir, "web")
	require.NotContains(t, after, stuck)
	require.Equal(t, before[kept], after[kept], "the other pod is left alone")

	// The change is for that pod: applied again, it does nothing.
	out, err = verb.Apply(t.Context(), change)
	require.NoError(t, err)
	require.Equal(t, engine.Outcome{Status: engine.Done, Detail: "pod " + stuck + " is gone, 2 of 2 ready"}, out)
	begun, err = verb.Resume(t.Context(), change)
	require.NoError(t, err)
	require.True(t, begun)
	require.Equal(t, after, testlocal.Processes(t, dir, "web"))
	_, err = verb.Plan(t.Context(), p)
	require.ErrorContains(t, err, "the target has no such pod")

	testlocal.Reload(t, o, testlocal.Web("other", 1))
	testlocal.Eventually(t, "without its Deployment it has failed", func() bool {
		out, err := verb.Verify(t.Context(), change)
		return err == nil && out == engine.Outcome{Status: engine.Failed, Detail: "the Deployment was removed"}
	})
	begun, err = verb.Resume(t.Context(), change)
	require.NoError(t, err)
	require.False(t, begun)
}

// A pod that is not ready is replaced too, and the act says why the next one is not ready.
func TestRestartOfOnePodThatCrashes(t *testing.T) {
	dir := t.TempDir()
	o := testlocal.Open(t, dir)
	testlocal.Reload(t, o, testlocal.Web("web", 1, "EXIT=9"))
	testlocal.Eventually(t, "it crashes", func() bool { p := podful(t, o, "web").Pods; return len(p) == 1 && p[0].Restarts > 0 })
	verb := restarter{o}
	change, err := verb.Plan(t.Context(), ofPod(podful(t, o, "web"), podful(t, o, "web").Pods[0].Name))
	require.NoError(t, err)
	require.Contains(t, change.Diff, ", one of 1, 0 ready")
	_, err = verb.Apply(t.Context(), change)
	require.NoError(t, err)
	testlocal.Eventually(t, "the obstacle is named", func() bool {
		out, err := verb.Verify(t.Context(), change)
		require.NoError(t, err)
		return out.Status == engine.Running && out.Obstacle == "1 pod CrashLoopBackOff: exit status 9"
	})
}

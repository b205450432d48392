package local

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/actuators/local/testlocal"
	"github.com/scanflow-k8s/scanflow/engine"
)

func TestScaleUpAndDownByTheVerb(t *testing.T) {
	dir := t.TempDir()
	o := testlocal.Open(t, dir)
	testlocal.Reload(t, o, testlocal.Web("web", 1))
	testlocal.WaitReady(t, o, "web")
	first := testlocal.Processes(t, dir, "web")

	c, out := scale(t, o, "web", 4)
	require.Equal(t, "replicas 1 -> 4", c.Diff)
	require.Equal(t, "change-1", c.Identity)
	require.Equal(t, engine.Done, out.Status)
	require.Equal(t, 4, testlocal.Workload(t, o, "web").Ready)
	c, _ = scale(t, o, "web", 4)
	require.True(t, c.NoOp)

	_, out = scale(t, o, "web", 1)
	require.Equal(t, engine.Done, out.Status)
	testlocal.Eventually(t, "the others are gone", func() bool { return len(testlocal.Processes(t, dir, "web")) == 1 })
	require.Equal(t, first, testlocal.Processes(t, dir, "web"), "the oldest pod stays")

	a := Scale(o)
	for want, p := range map[string]engine.Proposal{
		"scale test/absent: no such Deployment is run here; these are: test/web": proposal("scale", "absent", map[string]any{"replicas": 2.0}),
		"with.replicas: is missing":                      proposal("scale", "web", nil),
		"with.replicas: must be a whole number, not 2.5": proposal("scale", "web", map[string]any{"replicas": 2.5}),
		"with.replicas: must not be negative":            proposal("scale", "web", map[string]any{"replicas": -1.0}),
		"with.replica: unknown field":                    proposal("scale", "web", map[string]any{"replicas": 1.0, "replica": 1.0}),
	} {
		_, err := a.Plan(t.Context(), p)
		require.ErrorContains(t, err, want)
	}
	_, err := a.Plan(t.Context(), proposal("scale", "absent", map[string]any{"replicas": 2.0}))
	require.ErrorIs(t, err, orchestrator.ErrUnknownWorkload)
}

func TestScaleFailsWhenTheReplicasAreSetAgain(t *testing.T) {
	o := testlocal.Open(t, t.TempDir())
	testlocal.Reload(t, o, testlocal.Web("web", 1, "SLOW_START=1h"))
	a := Scale(o)
	c, err := a.Plan(t.Context(), proposal("scale", "web", map[string]any{"replicas": 3.0}))
	require.NoError(t, err)
	out, err := a.Apply(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, engine.Running, out.Status)
	require.Contains(t, out.Detail, "0 of 3 ready")
	require.NoError(t, o.SetReplicas(named("test", "web"), 2))
	out, err = a.(engine.Verifier).Verify(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, engine.Outcome{Status: engine.Failed, Detail: "replicas were set to 2 by somebody else"}, out)
	require.NoError(t, o.SetReplicas(named("test", "web"), 0))
}

func TestNoRequestIsLostWhileScalingAndRestarting(t *testing.T) {
	dir := t.TempDir()
	o := testlocal.Open(t, dir)
	testlocal.Reload(t, o, testlocal.Web("web", 4))
	testlocal.WaitReady(t, o, "web")
	before := testlocal.Processes(t, dir, "web")
	// Each request takes 20 ms, and the pods exit at once on SIGTERM: one that was stopped
	// without a drain would cut its requests.
	stop := testlocal.Load(32, testlocal.Address(t, o, "Service", "web")+"/?ms=20")
	for _, n := range []int{1, 3, 1, 4, 2} {
		_, out := scale(t, o, "web", n)
		require.Equal(t, engine.Done, out.Status)
	}
	c, out := act(t, o, proposal("restart", "web", nil))
	require.Equal(t, engine.Done, out.Status)
	require.Equal(t, "pods to replace, one after another: 2", c.Diff)
	after := testlocal.Processes(t, dir, "web")
	answered, wrong := stop()
	require.Empty(t, wrong)
	require.Greater(t, answered, int64(100))
	require.Len(t, after, 2)
	for name := range before {
		require.NotContains(t, after, name)
	}
	again, err := Restart(o).Plan(t.Context(), proposal("restart", "web", nil))
	require.NoError(t, err)
	require.True(t, again.NoOp, "the same change again")
	other := proposal("restart", "web", nil)
	other.Identity = "change-2"
	again, err = Restart(o).Plan(t.Context(), other)
	require.NoError(t, err)
	require.False(t, again.NoOp)
	t.Logf("%d requests, none lost", answered)
}

func TestAnOverrideThatCannotBeSavedIsNotActedOn(t *testing.T) {
	dir := t.TempDir()
	o := testlocal.Open(t, dir)
	testlocal.Reload(t, o, testlocal.Web("web", 1)+testlocal.Web("backup", 0)+testlocal.RouteOver("web", 1, "backup", 0))
	testlocal.WaitReady(t, o, "web")
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "workloads")))
	for verb, with := range map[string]map[string]any{
		"scale":   {"replicas": 3.0},
		"restart": nil,
		"traffic": {"route": "models", "weights": map[string]any{"web": 0.0, "backup": 1.0}},
	} {
		a := actuatorOf(o, verb)
		c, err := a.Plan(t.Context(), proposal(verb, "web", with))
		require.NoError(t, err)
		require.False(t, c.NoOp)
		_, err = a.Apply(t.Context(), c)
		require.ErrorIs(t, err, os.ErrNotExist, verb)
		again, err := a.Plan(t.Context(), proposal(verb, "web", with))
		require.NoError(t, err)
		require.Equal(t, c, again, "%s has changed something", verb)
	}
	require.Equal(t, 1, testlocal.Workload(t, o, "web").Desired)
}

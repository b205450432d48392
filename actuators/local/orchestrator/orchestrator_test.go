package orchestrator_test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/actuators/local/testlocal"
	"github.com/scanflow-k8s/scanflow/engine"
)

func TestRunsADeploymentAsTheEngineSeesIt(t *testing.T) {
	o := testlocal.Open(t, t.TempDir())
	testlocal.Reload(t, o, testlocal.Web("web", 3))
	testlocal.WaitReady(t, o, "web")

	w := testlocal.Workload(t, o, "web")
	require.Equal(t, 3, w.Desired)
	require.Equal(t, 3, w.Ready)
	var nodes []string
	for _, p := range w.Pods {
		nodes = append(nodes, p.Node)
		require.Equal(t, p.Ports["http"], p.Ports["8080"])
		_, body, err := testlocal.Get("http://" + p.Ports["http"] + "/")
		require.NoError(t, err)
		require.Equal(t, p.Name, body)
	}
	slices.Sort(nodes)
	require.Equal(t, []string{"a", "b", "c"}, nodes)

	f, err := o.Fleet(engine.Selector{APIVersion: "apps/v1", Kind: "Deployment", MatchLabels: map[string]string{"kind": "web"}})
	require.NoError(t, err)
	got, err := f.Targets(t.Context())
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]engine.Target{{
		APIVersion: "apps/v1", Kind: "Deployment", Namespace: "test", Name: "web", Labels: map[string]string{"tier": "web", "kind": "web"},
		Replicas: &engine.Replicas{Desired: 3, Ready: 3}, Placement: []string{"a", "b", "c"}, Model: "digits:3",
	}}, got))
	for _, none := range []engine.Selector{
		{Kind: "Deployment", MatchLabels: map[string]string{"kind": "batch"}}, {Kind: "Deployment", Namespace: "other"},
	} {
		f, err := o.Fleet(none)
		require.NoError(t, err)
		got, err := f.Targets(t.Context())
		require.NoError(t, err)
		require.Empty(t, got)
	}
	_, err = o.Fleet(engine.Selector{Kind: "StatefulSet"})
	require.ErrorContains(t, err, "runs no StatefulSet")
	_, known := o.Workload(engine.TargetID{Kind: "Deployment", Namespace: "test", Name: "absent"})
	require.False(t, known)
}

func TestDeadReplicaIsRestartedWithBackOff(t *testing.T) {
	dir := t.TempDir()
	o := testlocal.Open(t, dir)
	testlocal.Reload(t, o, testlocal.Web("web", 1))
	testlocal.WaitReady(t, o, "web")
	for n := 1; n <= 3; n++ {
		before := testlocal.Processes(t, dir, "web")
		for _, p := range before {
			require.NoError(t, syscall.Kill(p.PID, syscall.SIGKILL))
		}
		testlocal.Eventually(t, "restarted", func() bool { w := testlocal.Workload(t, o, "web"); return w.Restarts == n && w.Ready == 1 })
		after := testlocal.Processes(t, dir, "web")
		require.Equal(t, slices.Collect(maps.Keys(before)), slices.Collect(maps.Keys(after)), "the pod is the same")
		require.NotEqual(t, before, after, "the process is another")
	}
	ctx, cancel := context.WithTimeout(t.Context(), testlocal.Patience)
	defer cancel()
	testlocal.Reload(t, o, testlocal.Web("web", 1, "EXIT=9"))
	testlocal.Eventually(t, "it says why it isn't ready", func() bool {
		now, stop := context.WithCancel(ctx)
		stop()
		err := o.WaitReady(now, "test", "web")
		return err != nil && strings.Contains(err.Error(), "CrashLoopBackOff exit status 9; restart ")
	})
	require.Equal(t, 1, testlocal.Workload(t, o, "web").Ready, "the old template goes on serving")
}

func TestReloadRollsAddsAndRemoves(t *testing.T) {
	dir := t.TempDir()
	o := testlocal.Open(t, dir)
	testlocal.Reload(t, o, testlocal.Web("web", 2)+testlocal.Web("extra", 1))
	testlocal.WaitReady(t, o, "web", "extra")
	at := testlocal.Address(t, o, "Service", "web")
	before := testlocal.Processes(t, dir, "web")
	extra := testlocal.Processes(t, dir, "extra")

	testlocal.Reload(t, o, testlocal.Web("web", 2)+testlocal.Web("extra", 1))
	testlocal.WaitReady(t, o, "web", "extra")
	require.Equal(t, before, testlocal.Processes(t, dir, "web"), "nothing changed, so nothing is done")

	testlocal.Reload(t, o, testlocal.Web("web", 2, "VERSION=2")+testlocal.Web("more", 1))
	testlocal.WaitReady(t, o, "web", "more")
	require.Equal(t, at, testlocal.Address(t, o, "Service", "web"), "the address stays")
	_, body, err := testlocal.Get(at + "/env?name=VERSION")
	require.NoError(t, err)
	require.Equal(t, "2", body)
	testlocal.Eventually(t, "extra is gone", func() bool { return len(testlocal.Processes(t, dir, "extra")) == 0 })
	for _, p := range extra {
		require.False(t, pod.Alive(p.PID, p.StartID))
	}
	_, ok := o.Address("Service", "test", "extra")
	require.False(t, ok)

	require.Error(t, testlocal.ReadAndApply(t.Context(), o, testlocal.Write(t, "kind: Nonsense")))
	require.Equal(t, 2, testlocal.Workload(t, o, "web").Ready, "a bad file changes nothing")
}

func TestAntiAffinityKeepsPodsApart(t *testing.T) {
	shy := strings.Replace(testlocal.Web("batch", 2), "      containers:\n", `      affinity:
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            - topologyKey: kubernetes.io/hostname
              labelSelector: {matchLabels: {app: web}}
      containers:
`, 1)
	pinned := strings.Replace(testlocal.Web("web", 2), "      containers:\n", "      nodeSelector: {kubernetes.io/hostname: b}\n      containers:\n", 1)
	o := testlocal.Open(t, t.TempDir())
	testlocal.Reload(t, o, pinned)
	testlocal.WaitReady(t, o, "web")
	testlocal.Reload(t, o, pinned+shy)
	testlocal.WaitReady(t, o, "batch")
	nodes := func(name string) []string {
		var out []string
		for _, p := range testlocal.Workload(t, o, name).Pods {
			out = append(out, p.Node)
		}
		slices.Sort(out)
		return out
	}
	require.Equal(t, []string{"b", "b"}, nodes("web"))
	require.Equal(t, []string{"a", "c"}, nodes("batch"))

	// No node can take a pod of web while batch is on node a. It starts once batch is gone.
	moved := strings.Replace(pinned, "hostname: b", "hostname: a", 1)
	testlocal.Reload(t, o, moved+shy)
	testlocal.Eventually(t, "one waits", func() bool {
		now, stop := context.WithCancel(t.Context())
		stop()
		err := o.WaitReady(now, "test", "web")
		return err != nil && strings.Contains(err.Error(), "no node can take it (a: anti-affinity with a pod of test/batch; b: nodeSelector wants a")
	})
	require.Equal(t, 2, testlocal.Workload(t, o, "web").Ready)
	scale(t, o, "batch", 0)
	testlocal.WaitReady(t, o, "web")
	require.Equal(t, []string{"a", "a"}, nodes("web"))
}

func TestCloseLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	o := testlocal.Open(t, dir)
	testlocal.Reload(t, o, testlocal.Web("web", 3, "SPAWN=1")+testlocal.Web("deaf", 1, "IGNORE_TERM=1"))
	testlocal.WaitReady(t, o, "web", "deaf")
	all := append(slices.Collect(maps.Values(testlocal.Processes(t, dir, "web"))), slices.Collect(maps.Values(testlocal.Processes(t, dir, "deaf")))...)
	uids := map[string]bool{}
	for _, p := range all {
		uids[p.UID] = true
	}
	require.Len(t, all, 4)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	require.NoError(t, o.Close(ctx, orchestrator.StopAll)) // the deaf one is killed when ctx ends
	for _, p := range all {
		require.False(t, pod.Alive(p.PID, p.StartID))
	}
	for uid := range pod.ProcessesByUID() {
		require.NotContains(t, uids, uid, "children of pods are gone too")
	}
	left, err := os.ReadDir(filepath.Join(dir, "pods"))
	require.NoError(t, err)
	require.Empty(t, left)
	require.ErrorIs(t, o.Apply(t.Context(), orchestrator.Workloads{}), orchestrator.ErrClosed)
	require.ErrorIs(t, o.SetReplicas(named("web"), 1), orchestrator.ErrClosed)
	require.ErrorIs(t, o.WaitReady(t.Context(), "test", "web"), orchestrator.ErrClosed)
}

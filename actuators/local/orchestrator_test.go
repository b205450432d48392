package local

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/engine"
)

func TestRunsADeploymentAsTheEngineSeesIt(t *testing.T) {
	o := open(t, t.TempDir())
	reload(t, o, web("web", 3))
	waitReady(t, o, "web")

	w := workload(t, o, "web")
	require.Equal(t, 3, w.Desired)
	require.Equal(t, 3, w.Ready)
	var nodes []string
	for _, p := range w.Pods {
		nodes = append(nodes, p.Node)
		require.Equal(t, p.Ports["http"], p.Ports["8080"])
		_, body, err := get("http://" + p.Ports["http"] + "/")
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

func TestScaleUpAndDownByTheVerb(t *testing.T) {
	o := open(t, t.TempDir())
	reload(t, o, web("web", 1))
	waitReady(t, o, "web")
	first := processes(o, "web")

	c, out := scale(t, o, "web", 4)
	require.Equal(t, "replicas 1 -> 4", c.Diff)
	require.Equal(t, "change-1", c.Identity)
	require.Equal(t, engine.Done, out.Status)
	require.Equal(t, 4, workload(t, o, "web").Ready)
	c, _ = scale(t, o, "web", 4)
	require.True(t, c.NoOp)

	_, out = scale(t, o, "web", 1)
	require.Equal(t, engine.Done, out.Status)
	eventually(t, "the others are gone", func() bool { return len(processes(o, "web")) == 1 })
	require.Equal(t, first, processes(o, "web"), "the oldest pod stays")

	a := ScaleActuator(o)
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
	require.ErrorIs(t, err, ErrUnknownWorkload)
}

func TestScaleThatSomebodyElseOverrulesFails(t *testing.T) {
	o := open(t, t.TempDir())
	reload(t, o, web("web", 1, "SLOW_START=1h"))
	a := ScaleActuator(o)
	c, err := a.Plan(t.Context(), proposal("scale", "web", map[string]any{"replicas": 3.0}))
	require.NoError(t, err)
	out, err := a.Apply(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, engine.Running, out.Status)
	require.Contains(t, out.Detail, "0 of 3 ready")
	require.NoError(t, o.setReplicas(key{"test", "web"}, 2))
	out, err = a.(engine.Verifier).Verify(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, engine.Outcome{Status: engine.Failed, Detail: "replicas were set to 2 by somebody else"}, out)
	require.NoError(t, o.setReplicas(key{"test", "web"}, 0))
}

// load sends requests from many clients until it is told to stop, and returns how
// many were answered and what went wrong.
func load(clients int, url string) (stop func() (answered int64, wrong []string)) {
	ctx, cancel := context.WithCancel(context.Background())
	var answered atomic.Int64
	var mu sync.Mutex
	var wrong []string
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for ctx.Err() == nil {
				status, body, err := get(url)
				if err != nil || status != 200 {
					mu.Lock()
					wrong = append(wrong, body)
					if err != nil {
						wrong = append(wrong, err.Error())
					}
					mu.Unlock()
				}
				answered.Add(1)
			}
		})
	}
	return func() (int64, []string) {
		cancel()
		all.Wait()
		return answered.Load(), wrong
	}
}

func TestNoRequestIsLostWhileScalingAndRestarting(t *testing.T) {
	o := open(t, t.TempDir())
	reload(t, o, web("web", 4))
	waitReady(t, o, "web")
	before := processes(o, "web")
	// Each request takes 20 ms, and the pods die at once on SIGTERM: one that is
	// stopped undrained cuts what it was answering.
	stop := load(32, address(t, o, "Service", "web")+"/?ms=20")
	for _, n := range []int{1, 3, 1, 4, 2} {
		_, out := scale(t, o, "web", n)
		require.Equal(t, engine.Done, out.Status)
	}
	c, out := act(t, o, proposal("restart", "web", nil))
	require.Equal(t, engine.Done, out.Status)
	require.Equal(t, "pods to replace, one after another: 2", c.Diff)
	after := processes(o, "web")
	answered, wrong := stop()
	require.Empty(t, wrong)
	require.Greater(t, answered, int64(100))
	require.Len(t, after, 2)
	for name := range before {
		require.NotContains(t, after, name)
	}
	again, err := RestartActuator(o).Plan(t.Context(), proposal("restart", "web", nil))
	require.NoError(t, err)
	require.True(t, again.NoOp, "the same change again")
	other := proposal("restart", "web", nil)
	other.Identity = "change-2"
	again, err = RestartActuator(o).Plan(t.Context(), other)
	require.NoError(t, err)
	require.False(t, again.NoOp)
	t.Logf("%d requests, none lost", answered)
}

func TestDeadReplicaIsRestartedWithBackOff(t *testing.T) {
	o := open(t, t.TempDir())
	reload(t, o, web("web", 1))
	waitReady(t, o, "web")
	for n := 1; n <= 3; n++ {
		before := processes(o, "web")
		for _, p := range before {
			require.NoError(t, syscall.Kill(p.PID, syscall.SIGKILL))
		}
		eventually(t, "restarted", func() bool { w := workload(t, o, "web"); return w.Restarts == n && w.Ready == 1 })
		after := processes(o, "web")
		require.Equal(t, slices.Collect(maps.Keys(before)), slices.Collect(maps.Keys(after)), "the pod is the same")
		require.NotEqual(t, before, after, "the process is another")
	}
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	reload(t, o, web("web", 1, "EXIT=9"))
	eventually(t, "it says why it isn't ready", func() bool {
		now, stop := context.WithCancel(ctx)
		stop()
		err := o.WaitReady(now, "test", "web")
		return err != nil && strings.Contains(err.Error(), "CrashLoopBackOff exit status 9; restart ")
	})
	require.Equal(t, 1, workload(t, o, "web").Ready, "the old template goes on serving")
}

func TestReloadRollsAddsAndRemoves(t *testing.T) {
	o := open(t, t.TempDir())
	reload(t, o, web("web", 2)+web("extra", 1))
	waitReady(t, o, "web", "extra")
	at := address(t, o, "Service", "web")
	before := processes(o, "web")
	extra := processes(o, "extra")

	reload(t, o, web("web", 2)+web("extra", 1))
	waitReady(t, o, "web", "extra")
	require.Equal(t, before, processes(o, "web"), "nothing changed, so nothing is done")

	reload(t, o, web("web", 2, "VERSION=2")+web("more", 1))
	waitReady(t, o, "web", "more")
	require.Equal(t, at, address(t, o, "Service", "web"), "the address stays")
	_, body, err := get(at + "/env?name=VERSION")
	require.NoError(t, err)
	require.Equal(t, "2", body)
	eventually(t, "extra is gone", func() bool { return len(processes(o, "extra")) == 0 })
	for _, p := range extra {
		require.False(t, pod.Alive(p.PID, p.StartID))
	}
	_, ok := o.Address("Service", "test", "extra")
	require.False(t, ok)

	require.Error(t, readAndApply(t.Context(), o, write(t, "kind: Nonsense")))
	require.Equal(t, 2, workload(t, o, "web").Ready, "a bad file changes nothing")
}

func TestAntiAffinityKeepsPodsApart(t *testing.T) {
	shy := strings.Replace(web("batch", 2), "      containers:\n", `      affinity:
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            - topologyKey: kubernetes.io/hostname
              labelSelector: {matchLabels: {app: web}}
      containers:
`, 1)
	pinned := strings.Replace(web("web", 2), "      containers:\n", "      nodeSelector: {kubernetes.io/hostname: b}\n      containers:\n", 1)
	o := open(t, t.TempDir())
	reload(t, o, pinned)
	waitReady(t, o, "web")
	reload(t, o, pinned+shy)
	waitReady(t, o, "batch")
	nodes := func(name string) []string {
		var out []string
		for _, p := range workload(t, o, name).Pods {
			out = append(out, p.Node)
		}
		slices.Sort(out)
		return out
	}
	require.Equal(t, []string{"b", "b"}, nodes("web"))
	require.Equal(t, []string{"a", "c"}, nodes("batch"))

	// Nothing can take a pod of web on node a while batch is there; once batch is
	// gone, what waited is started.
	moved := strings.Replace(pinned, "hostname: b", "hostname: a", 1)
	reload(t, o, moved+shy)
	eventually(t, "one waits", func() bool {
		now, stop := context.WithCancel(t.Context())
		stop()
		err := o.WaitReady(now, "test", "web")
		return err != nil && strings.Contains(err.Error(), "no node can take it (a: anti-affinity with a pod of test/batch; b: nodeSelector wants a")
	})
	require.Equal(t, 2, workload(t, o, "web").Ready)
	_, out := scale(t, o, "batch", 0)
	require.Equal(t, engine.Done, out.Status)
	waitReady(t, o, "web")
	require.Equal(t, []string{"a", "a"}, nodes("web"))
}

func TestCloseLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	o := open(t, dir)
	reload(t, o, web("web", 3, "SPAWN=1")+web("deaf", 1, "IGNORE_TERM=1"))
	waitReady(t, o, "web", "deaf")
	all := append(slices.Collect(maps.Values(processes(o, "web"))), slices.Collect(maps.Values(processes(o, "deaf")))...)
	uids := map[string]bool{}
	for _, r := range o.replicas {
		uids[r.rec.UID] = true
	}
	require.Len(t, all, 4)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	require.NoError(t, o.Close(ctx, StopAll)) // the deaf one is killed when ctx ends
	for _, p := range all {
		require.False(t, pod.Alive(p.PID, p.StartID))
	}
	for uid := range pod.ProcessesByUID() {
		require.NotContains(t, uids, uid, "children of pods are gone too")
	}
	left, err := os.ReadDir(filepath.Join(dir, "pods"))
	require.NoError(t, err)
	require.Empty(t, left)
	require.ErrorIs(t, o.Apply(t.Context(), Workloads{}), ErrClosed)
	require.ErrorIs(t, o.setReplicas(key{"test", "web"}, 1), ErrClosed)
	require.ErrorIs(t, o.WaitReady(t.Context(), "test", "web"), ErrClosed)
}

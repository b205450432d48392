package local

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
	"github.com/scanflow-k8s/scanflow/actuators/local/testlocal"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/sensors"
)

func placeOn(kind, name string, pairs ...any) engine.Proposal {
	with := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		with[pairs[i].(string)] = pairs[i+1]
	}
	p := proposal("place", name, with)
	p.Target.Kind = kind
	return p
}

// from is a term of affinity, or of anti-affinity, to the pods of an app.
func from(app string, more ...any) map[string]any {
	out := map[string]any{"matchLabels": map[string]any{"app": app}}
	for i := 0; i < len(more); i += 2 {
		out[more[i].(string)] = more[i+1]
	}
	return out
}

func onNode(name string) map[string]any { return map[string]any{"kubernetes.io/hostname": name} }

func nodesOf(t *testing.T, o *orchestrator.Orchestrator, name string) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for _, p := range testlocal.Workload(t, o, name).Pods {
		out[p.Node] = true
	}
	return out
}

func TestPlaceRollsADeploymentAway(t *testing.T) {
	dir := t.TempDir()
	o := testlocal.Open(t, dir) // nodes a, b, c
	both := testlocal.Pinned(testlocal.Web("web", 1), "a") + testlocal.Web("batch", 3)
	testlocal.Reload(t, o, both)
	testlocal.WaitReady(t, o, "web", "batch")
	require.Contains(t, nodesOf(t, o, "batch"), "a", "they share a node")

	stop, done := make(chan struct{}), make(chan int)
	go func() { // requests go on all the while
		lost := 0
		for url := testlocal.Address(t, o, "Service", "batch"); ; {
			select {
			case <-stop:
				done <- lost
				return
			default:
			}
			if status, _, err := testlocal.Get(url); err != nil || status != 200 {
				lost++
			}
		}
	}()
	change, out := act(t, o, placeOn("Deployment", "batch", "antiAffinity", from("web")))
	close(stop)
	require.Zero(t, <-done, "no request is lost")
	require.Equal(t, "pods away from those with app=web, by kubernetes.io/hostname, required; every pod is replaced", change.Diff)
	require.Equal(t, engine.Outcome{Status: engine.Done, Detail: "3 of 3 ready"}, out)
	require.Equal(t, map[string]bool{"b": true, "c": true}, nodesOf(t, o, "batch"))
	again, _ := act(t, o, placeOn("Deployment", "batch", "antiAffinity", from("web")))
	require.True(t, again.NoOp)
	was := testlocal.Processes(t, dir, "batch")

	testlocal.Shut(t, o, orchestrator.Detach)
	o = testlocal.Open(t, dir)
	testlocal.Reload(t, o, both)
	testlocal.WaitReady(t, o, "web", "batch")
	require.Equal(t, was, testlocal.Processes(t, dir, "batch"), "it survives a restart: the very same processes")

	change, out = act(t, o, placeOn("Deployment", "batch", "nodeSelector", onNode("c")))
	require.Equal(t, engine.Done, out.Status)
	require.Equal(t, "nodes with kubernetes.io/hostname=c; every pod is replaced", change.Diff)
	require.Equal(t, map[string]bool{"c": true}, nodesOf(t, o, "batch"))
	change, _ = act(t, o, placeOn("Deployment", "batch", "nodeSelector", onNode("c"), "antiAffinity", from("web"), "remove", true))
	require.Equal(t, "pods no longer away from those with app=web, by kubernetes.io/hostname, required; nodes no longer with kubernetes.io/hostname=c; every pod is replaced", change.Diff)
	again, _ = act(t, o, placeOn("Deployment", "batch", "antiAffinity", from("web"), "remove", true))
	require.True(t, again.NoOp, "there is nothing left of ours")

	// A change of the YAML replaces the override, for good.
	act(t, o, placeOn("Deployment", "batch", "nodeSelector", onNode("c")))
	testlocal.Reload(t, o, testlocal.Pinned(testlocal.Web("web", 1), "a")+testlocal.Pinned(testlocal.Web("batch", 1), "b"))
	testlocal.WaitReady(t, o, "batch")
	require.Equal(t, map[string]bool{"b": true}, nodesOf(t, o, "batch"))
	_, err := Place(o).Plan(t.Context(), placeOn("Deployment", "batch", "nodeSelector", onNode("b"), "remove", true))
	require.ErrorContains(t, err, "place Deployment test/batch: nodeSelector kubernetes.io/hostname=b is the YAML's: take it away where it is written")
	change, _ = act(t, o, placeOn("Deployment", "batch", "nodeSelector", onNode("c")))
	require.Contains(t, change.Diff, "kubernetes.io/hostname=c (was b)")
	testlocal.Reload(t, o, both)
	testlocal.Reload(t, o, testlocal.Pinned(testlocal.Web("web", 1), "a")+testlocal.Pinned(testlocal.Web("batch", 1), "b"))
	testlocal.WaitReady(t, o, "batch")
	require.Equal(t, map[string]bool{"b": true}, nodesOf(t, o, "batch"))
}

func TestPlaceThatCantBeIsPutBack(t *testing.T) {
	o := testlocal.Open(t, t.TempDir())
	testlocal.Reload(t, o, testlocal.Web("web", 1))
	testlocal.WaitReady(t, o, "web")
	place := Place(o)
	change, err := place.Plan(t.Context(), placeOn("Deployment", "web", "nodeSelector", onNode("nowhere")))
	require.NoError(t, err)
	out, err := place.Apply(t.Context(), change)
	require.NoError(t, err)
	require.Equal(t, engine.Running, out.Status)
	testlocal.Eventually(t, "a pod waits", func() bool {
		out, err = place.(engine.Verifier).Verify(t.Context(), change)
		require.NoError(t, err)
		return strings.Contains(out.Detail, "no node can take it (a: nodeSelector wants nowhere")
	})
	require.Equal(t, engine.Running, out.Status)
	require.Equal(t, 1, testlocal.Workload(t, o, "web").Ready, "the old one serves")
	out, err = place.(engine.Undoer).Undo(t.Context(), change)
	require.NoError(t, err)
	require.Equal(t, engine.Outcome{Status: engine.Done, Detail: "put back (was to be: nodes with kubernetes.io/hostname=nowhere; every pod is replaced)"}, out)
	testlocal.WaitReady(t, o, "web")
	out, err = place.(engine.Verifier).Verify(t.Context(), change)
	require.NoError(t, err)
	require.Equal(t, engine.Outcome{Status: engine.Failed, Detail: "it was placed by somebody else since"}, out)
	act(t, o, placeOn("Deployment", "web", "nodeSelector", onNode("b")))
	_, err = place.(engine.Undoer).Undo(t.Context(), change)
	require.ErrorIs(t, err, orchestrator.ErrPlacementChanged)
}

func TestPlacePrefersAndKeepsNear(t *testing.T) {
	o := testlocal.Open(t, t.TempDir())
	testlocal.Reload(t, o, testlocal.Pinned(testlocal.Web("web", 1), "b")+testlocal.Web("batch", 1))
	testlocal.WaitReady(t, o, "web", "batch")
	_, out := act(t, o, placeOn("Deployment", "batch", "affinity", from("web")))
	require.Equal(t, engine.Done, out.Status)
	require.Equal(t, map[string]bool{"b": true}, nodesOf(t, o, "batch"))
	change, _ := act(t, o, placeOn("Deployment", "batch", "affinity", from("web"), "remove", true))
	require.Contains(t, change.Diff, "pods no longer near to those with app=web")

	act(t, o, placeOn("Deployment", "batch", "antiAffinity", from("web", "required", false)))
	require.NotContains(t, nodesOf(t, o, "batch"), "b")
	change, _ = act(t, o, placeOn("Deployment", "batch", "antiAffinity", from("web")))
	require.Equal(t, "pods away from those with app=web, by kubernetes.io/hostname, required; pods no longer away from those with app=web, by kubernetes.io/hostname, preferred; every pod is replaced", change.Diff)
	act(t, o, placeOn("Deployment", "batch", "antiAffinity", from("web", "required", false), "nodeSelector", onNode("b")))
	require.Equal(t, map[string]bool{"b": true}, nodesOf(t, o, "batch"), "a preferred term gives way")
}

func TestPlaceIsRefusedByName(t *testing.T) {
	dir := t.TempDir()
	o := testlocal.Open(t, t.TempDir())
	own := strings.Replace(strings.Replace(batch(dir, always), "name: offline", "name: own", 1), "- name: load\n      outputs", "- name: load\n      affinity: {podAntiAffinity: {}}\n      outputs", 1)
	testlocal.Reload(t, o, testlocal.Web("web", 1)+batch(dir, always)+own)
	name := running(t, o, identity, dir)
	for want, p := range map[string]engine.Proposal{
		"with.nodeSelector.gpu: local nodes have no such label; only kubernetes.io/hostname can be selected": placeOn("Deployment", "web", "nodeSelector", map[string]any{"gpu": "y"}),
		`with.antiAffinity.topologyKey: "zone" can't be honoured`:                                            placeOn("Deployment", "web", "antiAffinity", from("web", "topologyKey", "zone")),
		`with.affinity.topologyKey: "zone" can't be honoured`:                                                placeOn("Deployment", "web", "affinity", from("web", "topologyKey", "zone")),
		"must say where":                                                               placeOn("Deployment", "web"),
		"workflow: goes without template":                                              placeOn("Deployment", "web", "template", "offline", "workflow", name, "nodeSelector", onNode("b")),
		"move: is for the steps of runs":                                               placeOn("Deployment", "web", "move", true, "nodeSelector", onNode("b")),
		"move: nothing has to move where a term":                                       placeOn("Deployment", "web", "template", "offline", "move", true, "remove", true, "nodeSelector", onNode("b")),
		"with.remove: a run keeps no record":                                           placeOn("Deployment", "web", "workflow", name, "remove", true, "nodeSelector", onNode("b")),
		"it has started, and its steps stay where":                                     placeOn("Deployment", "web", "workflow", name, "nodeSelector", onNode("b")),
		"place run test/gone: there is no such run":                                    placeOn("Deployment", "web", "workflow", "gone", "nodeSelector", onNode("b")),
		"WorkflowTemplate test/rain: there is none; these are: test/offline, test/own": placeOn("Deployment", "web", "template", "rain", "nodeSelector", onNode("b")),
		"template load has an affinity of its own, which counts instead":               placeOn("Deployment", "web", "template", "own", "antiAffinity", from("web")),
		"no such Deployment is run here; these are: test/web":                          placeOn("Deployment", "absent", "nodeSelector", onNode("b")),
		"can place a Deployment, a WorkflowTemplate and a CronJob, and no Model":       placeOn("Model", "web", "nodeSelector", onNode("b")),
	} {
		_, err := Place(o).Plan(t.Context(), p)
		require.ErrorContains(t, err, want)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o600))
	testlocal.Eventually(t, "the run ends", func() bool { run, _ := o.Run("test", name); return run.Phase.Ended() })
	_, err := Place(o).Plan(t.Context(), placeOn("Deployment", "web", "workflow", name, "move", true, "nodeSelector", onNode("b")))
	require.ErrorContains(t, err, "it has ended")
}

func TestPlaceTheRunsToComeOfACronJob(t *testing.T) {
	state, dir := t.TempDir(), t.TempDir()
	o := testlocal.Open(t, state)
	yaml := fmt.Sprintf(`
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: test}
spec:
  schedule: "0 3 * * *"
  suspend: true
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: c, image: none, command: [sh, -c, "echo $NODE >>%s/nodes"], env: [{name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}]}]
`, dir)
	testlocal.Reload(t, o, yaml)
	_, out := act(t, o, placeOn("CronJob", "nightly", "nodeSelector", onNode("c")))
	require.Equal(t, engine.Outcome{Status: engine.Done, Detail: "the runs to come are placed so"}, out)
	testlocal.Shut(t, o, orchestrator.Detach)
	o = testlocal.Open(t, state)
	testlocal.Reload(t, o, yaml)
	_, out = act(t, o, proposal("workflow.run", "web", map[string]any{"template": "nightly", "kind": "CronJob"}))
	require.Equal(t, engine.Done, out.Status, out.Detail)
	raw, err := os.ReadFile(filepath.Join(dir, "nodes"))
	require.NoError(t, err)
	require.Equal(t, "c\n", string(raw))
	testlocal.Reload(t, o, strings.Replace(yaml, "restartPolicy: Never", "restartPolicy: Never\n          nodeSelector: {kubernetes.io/hostname: a}", 1))
	change, _ := act(t, o, placeOn("CronJob", "nightly", "nodeSelector", onNode("a")))
	require.True(t, change.NoOp, "the YAML says so by now")
}

// `place` corrects the state that the sensor `colocated` reports.
func TestColocatedPodsAreSeenAndMovedAway(t *testing.T) {
	dir := t.TempDir()
	o := testlocal.Open(t, t.TempDir())
	crowd := testlocal.Pinned(testlocal.Web("x", 2), "b") + testlocal.Pinned(testlocal.Web("side", 2), "c")
	testlocal.Reload(t, o, testlocal.Pinned(testlocal.Web("web", 1), "a")+crowd+batch(dir, always)+testlocal.Web("none", 0))
	testlocal.WaitReady(t, o, "web", "x", "side")
	sense := func(matchLabels map[string]string, namespaces ...string) engine.Reading {
		s, err := sensors.Kinds["colocated"].New(&sensors.ColocatedConfig{MatchLabels: matchLabels, Namespaces: namespaces}, sensors.Env{Workloads: o})
		require.NoError(t, err)
		var fleet []engine.Target
		for _, name := range []string{"web", "x", "none", "absent"} {
			fleet = append(fleet, engine.Target{Kind: "Deployment", Namespace: "test", Name: name})
		}
		r, err := s.Sample(t.Context(), time.Unix(1, 0), fleet)
		require.NoError(t, err)
		return r
	}
	app := map[string]string{"app": "batch"}
	require.Equal(t, engine.Signal{State: engine.OK, Value: 0.0, At: time.Unix(1, 0)}, sense(app)[0], "a measured zero")
	name := running(t, o, identity, dir)
	testlocal.Eventually(t, "it is seen", func() bool { return sense(app)[0].Value == 1.0 })
	got := sense(app)
	require.Equal(t, 0.0, got[1].Value)
	require.Equal(t, engine.Signal{State: engine.Empty, Problem: "no pod of the workload has a node"}, got[2])
	require.Equal(t, engine.Signal{State: engine.Empty, Problem: "the orchestrator runs no such workload"}, got[3])
	require.Equal(t, 1.0, sense(map[string]string{workflow.RunLabel: name})[0].Value, "the label of the run")
	require.Equal(t, 0.0, sense(app, "other")[0].Value)
	require.Equal(t, 0.0, sense(map[string]string{"app": "web"})[0].Value, "its own pods are no company")

	_, out := act(t, o, placeOn("Deployment", "web", "template", "offline", "move", true, "antiAffinity", from("web")))
	require.Equal(t, engine.Done, out.Status, out.Detail)
	require.Equal(t, 0.0, sense(app)[0].Value)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o600))
	testlocal.Eventually(t, "the run ends", func() bool { run, _ := o.Run("test", name); return run.Phase.Ended() })
	require.Equal(t, 0.0, sense(app)[1].Value, "what has ended does not count")
}

// WorkflowTemplates and CronJobs can be targets too.
func TestTemplatesAreTargets(t *testing.T) {
	o := testlocal.Open(t, t.TempDir())
	yaml := batch(t.TempDir(), always) + testlocal.Web("web", 0)
	testlocal.Reload(t, o, yaml)
	w, err := orchestrator.Read(testlocal.Write(t, yaml))
	require.NoError(t, err)
	for name, of := range map[string]engine.Orchestrator{"running": o, "declared": orchestrator.Declared(w)} {
		t.Run(name, func(t *testing.T) {
			f, err := of.Fleet(engine.Selector{APIVersion: "argoproj.io/v1alpha1", Kind: "WorkflowTemplate", Namespace: "test"})
			require.NoError(t, err)
			targets, err := f.Targets(t.Context())
			require.NoError(t, err)
			require.Equal(t, []engine.Target{{APIVersion: "argoproj.io/v1alpha1", Kind: "WorkflowTemplate", Namespace: "test", Name: "offline", Placement: []string{}}}, targets)
			_, known := of.Workload(targets[0].ID())
			require.False(t, known)
			f, err = of.Fleet(engine.Selector{APIVersion: "batch/v1", Kind: "CronJob", Namespace: "test"})
			require.NoError(t, err)
			targets, err = f.Targets(t.Context())
			require.NoError(t, err)
			require.Empty(t, targets)
			_, err = of.Fleet(engine.Selector{APIVersion: "apps/v1", Kind: "StatefulSet"})
			require.ErrorContains(t, err, "the local orchestrator runs no StatefulSet of apps/v1; targets can be")
		})
	}
	p := placeOn("WorkflowTemplate", "offline", "nodeSelector", onNode("c"))
	change, out := act(t, o, p)
	require.Equal(t, "nodes with kubernetes.io/hostname=c", change.Diff)
	require.Equal(t, engine.Done, out.Status)
}

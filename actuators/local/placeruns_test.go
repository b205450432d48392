package local

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
	"github.com/scanflow-k8s/scanflow/actuators/local/testlocal"
	"github.com/scanflow-k8s/scanflow/engine"
)

// batch is a WorkflowTemplate of two steps. The second adds a line to a file at each start,
// as a program that saves its progress, and runs until there is a file "go".
func batch(dir, retry string) string {
	return fmt.Sprintf(`
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: offline, namespace: test}
spec:
  entrypoint: main
  podMetadata: {labels: {app: batch}}
  templates:
    - name: main
      dag:
        tasks:
          - {name: load, template: load}
          - name: infer
            template: infer
            dependencies: [load]
            arguments: {artifacts: [{name: data, from: "{{tasks.load.outputs.artifacts.data}}"}]}
      outputs: {parameters: [{name: total, valueFrom: {parameter: "{{tasks.infer.outputs.parameters.total}}"}}]}
    - name: load
      outputs: {artifacts: [{name: data, path: /tmp/data}]}
      container: {image: "none:1", command: [sh, -c], args: ['echo loaded >{{outputs.artifacts.data.path}}']}
    - name: infer
      inputs: {artifacts: [{name: data, path: /tmp/data}]}
      outputs: {parameters: [{name: total, valueFrom: {path: /tmp/total}}]}
      %[2]s
      container:
        image: none:1
        command: [sh, -c]
        args: ['echo begun >>%[1]s/progress; until [ -e %[1]s/go ]; do sleep 0.01; done; cat {{inputs.artifacts.data.path}}; wc -l <%[1]s/progress >{{outputs.parameters.total.path}}']
---
`, dir, retry)
}

const always = "retryStrategy: {limit: 1, retryPolicy: Always}"

// running begins a run of offline, and waits until its second step runs.
func running(t *testing.T, o *orchestrator.Orchestrator, identity, dir string) string {
	t.Helper()
	p := proposal("workflow.run", "web", map[string]any{"template": "offline", "nodeSelector": nil})
	delete(p.With, "nodeSelector")
	p.Identity = identity
	run := WorkflowRun(o, nil)
	change, err := run.Plan(t.Context(), p)
	require.NoError(t, err)
	_, err = run.Apply(t.Context(), change)
	require.NoError(t, err)
	name := "offline-" + identity[:10]
	testlocal.Eventually(t, "its step runs", func() bool { _, err := os.Stat(filepath.Join(dir, "progress")); return err == nil })
	return name
}

func infer(t *testing.T, o *orchestrator.Orchestrator, name string) workflow.Step {
	t.Helper()
	run, ok := o.Run("test", name)
	require.True(t, ok)
	return run.Steps[2]
}

const identity = "0123456789abcdef"

// A run shares the node of a serving pod; its step is moved away.
func TestPlaceMovesARun(t *testing.T) {
	state, dir := t.TempDir(), t.TempDir()
	o := testlocal.Open(t, state) // nodes a, b, c
	crowd := testlocal.Pinned(testlocal.Web("x", 2), "b") + testlocal.Pinned(testlocal.Web("side", 2), "c")
	yaml := testlocal.Pinned(testlocal.Web("web", 1), "a") + crowd + batch(dir, always)
	testlocal.Reload(t, o, yaml)
	testlocal.WaitReady(t, o, "web", "x", "side")
	name := running(t, o, identity, dir)
	require.Equal(t, "a", infer(t, o, name).Attempts[0].Node, "they share a node")

	// Without move the run is left alone.
	change, out := act(t, o, placeOn("Deployment", "web", "template", "offline", "antiAffinity", from("web")))
	require.Equal(t, "pods away from those with app=web, by kubernetes.io/hostname, required", change.Diff)
	require.Equal(t, engine.Outcome{Status: engine.Done, Detail: "the runs to come are placed so"}, out)
	require.False(t, infer(t, o, name).Attempts[0].Phase.Ended())

	p := placeOn("Deployment", "web", "template", "offline", "move", true, "antiAffinity", from("web"))
	place := Place(o)
	change, err := place.Plan(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, "run "+name+": pods away from those with app=web, by kubernetes.io/hostname, required, step infer leaves node a (anti-affinity with a pod of test/web)", change.Diff)
	for range 2 { // applying it twice is applying it once
		_, err = place.Apply(t.Context(), change)
		require.NoError(t, err)
	}
	// The process ends meanwhile; the next one continues the move.
	testlocal.Shut(t, o, orchestrator.Detach)
	o = testlocal.Open(t, state)
	testlocal.Reload(t, o, yaml)
	place = Place(o)
	testlocal.Eventually(t, "the step runs elsewhere", func() bool {
		out, err = place.(engine.Verifier).Verify(t.Context(), change)
		require.NoError(t, err)
		return out.Status == engine.Done
	})
	require.Regexp(t, `^the runs to come are placed so; run `+name+`: step infer on node [bc]$`, out.Detail)
	step := infer(t, o, name)
	require.Len(t, step.Attempts, 2, "it is begun again, and counted as a retry")
	require.True(t, step.Attempts[0].Moved)
	require.Equal(t, workflow.Failed, step.Attempts[0].Phase)
	require.Equal(t, "moved away from node a: anti-affinity with a pod of test/web", step.Attempts[0].Message)
	again, err := place.Plan(t.Context(), p)
	require.NoError(t, err)
	require.True(t, again.NoOp)

	require.NoError(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o600))
	testlocal.Eventually(t, "the run ends", func() bool { run, _ := o.Run("test", name); return run.Phase.Ended() })
	run, _ := o.Run("test", name)
	require.Equal(t, workflow.Succeeded, run.Phase, run.Message)
	require.Equal(t, "2", run.Outputs["total"], "it went on where it was")
	out, err = place.(engine.Verifier).Verify(t.Context(), change)
	require.NoError(t, err)
	require.Equal(t, engine.Done, out.Status)
	require.Contains(t, out.Detail, "it has ended, Succeeded")

	// The next run has the term from its start.
	require.NoError(t, os.Remove(filepath.Join(dir, "progress")))
	next := running(t, o, "fedcba9876543210", dir)
	require.NotEqual(t, "a", infer(t, o, next).Attempts[0].Node)
}

func TestAStepThatNoNodeTakesWaits(t *testing.T) {
	dir := t.TempDir()
	o := testlocal.Open(t, t.TempDir())
	testlocal.Reload(t, o, testlocal.Pinned(testlocal.Web("web", 1), "a")+batch(dir, "retryStrategy: {limit: 3, retryPolicy: Always}"))
	testlocal.WaitReady(t, o, "web")
	name := running(t, o, identity, dir)
	place := Place(o)
	change, err := place.Plan(t.Context(), placeOn("Deployment", "web", "workflow", name, "move", true, "nodeSelector", onNode("nowhere")))
	require.NoError(t, err)
	_, err = place.Apply(t.Context(), change)
	require.NoError(t, err)
	var out engine.Outcome
	testlocal.Eventually(t, "it waits", func() bool {
		out, err = place.(engine.Verifier).Verify(t.Context(), change)
		require.NoError(t, err)
		require.Equal(t, engine.Running, out.Status)
		return strings.Contains(out.Detail, "and waits: no node can take it (a: nodeSelector wants nowhere")
	})
	_, err = place.(engine.Undoer).Undo(t.Context(), change)
	require.NoError(t, err)
	testlocal.Eventually(t, "it runs where it could before", func() bool {
		s := infer(t, o, name)
		return len(s.Attempts) == 2 && s.Phase == workflow.Running
	})
	out, err = place.(engine.Verifier).Verify(t.Context(), change)
	require.NoError(t, err)
	require.Equal(t, engine.Failed, out.Status, out.Detail)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o600))
	testlocal.Eventually(t, "the run ends", func() bool { run, _ := o.Run("test", name); return run.Phase.Ended() })
}

func TestAMoveThatWouldFailTheStepIsRefused(t *testing.T) {
	for retry, want := range map[string]string{
		"":                          "its step infer can't leave node a: it has no retryStrategy, so that it would fail once it is ended; give it retryStrategy: {limit: N, retryPolicy: Always}",
		"retryStrategy: {limit: 2}": "its retryStrategy has the retryPolicy OnFailure, which does not cover every end from outside; give it retryStrategy: {limit: N, retryPolicy: Always}",
		"retryStrategy: {limit: 2, retryPolicy: OnError}": "its retryStrategy has the retryPolicy OnError",
		"retryStrategy: {limit: 0, retryPolicy: Always}":  "no more retries left, so that it would fail once it is ended; raise the limit of its retryStrategy",
	} {
		t.Run(retry, func(t *testing.T) {
			dir := t.TempDir()
			o := testlocal.Open(t, t.TempDir())
			testlocal.Reload(t, o, testlocal.Pinned(testlocal.Web("web", 1), "a")+testlocal.Pinned(testlocal.Web("x", 1), "b")+testlocal.Pinned(testlocal.Web("side", 1), "c")+batch(dir, retry))
			testlocal.WaitReady(t, o, "web", "x", "side")
			name := running(t, o, identity, dir)
			for _, which := range []string{"template", "workflow"} {
				called := map[string]string{"template": "offline", "workflow": name}[which]
				_, err := Place(o).Plan(t.Context(), placeOn("Deployment", "web", which, called, "move", true, "antiAffinity", from("web")))
				require.ErrorContains(t, err, "place run test/"+name+": "+"its step infer can't leave node a: ")
				require.ErrorContains(t, err, want)
			}
			require.False(t, infer(t, o, name).Attempts[0].Phase.Ended())
			require.NoError(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o600))
			testlocal.Eventually(t, "the run ends", func() bool { run, _ := o.Run("test", name); return run.Phase.Ended() })
		})
	}
}

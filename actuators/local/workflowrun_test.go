package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
	"github.com/scanflow-k8s/scanflow/actuators/workflowrun"
	"github.com/scanflow-k8s/scanflow/engine"
)

// retrain is a WorkflowTemplate whose second step runs a script of the test.
func retrain(script, extra string) string {
	return fmt.Sprintf(`
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: retrain, namespace: test}
spec:
  entrypoint: main
  serviceAccountName: workflow
  ttlStrategy: {secondsAfterCompletion: 3600}
  arguments: {parameters: [{name: data}, {name: epochs, value: 2}]}
%s
  templates:
    - name: main
      dag:
        tasks:
          - {name: load, template: load}
          - name: train
            template: train
            dependencies: [load]
            arguments: {artifacts: [{name: data, from: "{{tasks.load.outputs.artifacts.data}}"}]}
      outputs: {parameters: [{name: accuracy, valueFrom: {parameter: "{{tasks.train.outputs.parameters.accuracy}}"}}]}
    - name: load
      outputs: {artifacts: [{name: data, path: /tmp/data}]}
      container: {image: "none:1", command: [sh, -c], args: ['echo "{{workflow.parameters.data}} $NODE" >{{outputs.artifacts.data.path}}'], env: [{name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}]}
    - name: train
      inputs: {artifacts: [{name: data, path: /tmp/data}]}
      outputs: {parameters: [{name: accuracy, valueFrom: {path: /tmp/accuracy}}]}
      container:
        image: none:1
        command: [sh, -c]
        args: [%q, "{{inputs.artifacts.data.path}}", "{{outputs.parameters.accuracy.path}}"]
---
`, extra, script)
}

const good = "cat $0; echo 0.93 >$1"

// inbox takes events as the engine's Publish does, and fails as it does.
type inbox struct {
	events []engine.Event
	err    error
}

func (b *inbox) publish(_ context.Context, e engine.Event) error {
	if b.err != nil {
		return b.err
	}
	b.events = append(b.events, e)
	return nil
}

func onRetrain(with map[string]any) engine.Proposal {
	p := proposal("workflow.run", "web", with)
	p.Agent, p.Hops = "test/planner", 2
	p.Identity = engine.Identity(p, "firing")
	return p
}

func withData(more ...any) map[string]any {
	out := map[string]any{"template": "retrain", "name": "again", "parameters": map[string]any{"data": "digits"}}
	for i := 0; i < len(more); i += 2 {
		out[more[i].(string)] = more[i+1]
	}
	return out
}

func TestAWorkflowRunsAndItsEndIsAnEvent(t *testing.T) {
	o := open(t, t.TempDir())
	box := &inbox{}
	o.Publish = box.publish
	reload(t, o, retrain(good, ""))
	run := WorkflowRunActuator(o)
	p := onRetrain(withData("nodeSelector", map[string]any{"kubernetes.io/hostname": "b"}))
	change, err := run.Plan(t.Context(), p)
	require.NoError(t, err)
	name := "retrain-" + p.Identity[:10]
	require.Equal(t, "run WorkflowTemplate retrain as "+name+" with data=digits; nodes with kubernetes.io/hostname=b", change.Diff)
	require.False(t, change.NoOp)
	require.Empty(t, o.Runs(), "a plan begins nothing")
	resumer := run.(engine.Resumer)
	begun, err := resumer.Resume(t.Context(), change)
	require.NoError(t, err)
	require.False(t, begun)

	for range 2 {
		out, err := run.Apply(t.Context(), change)
		require.NoError(t, err)
		require.Equal(t, engine.Outcome{Status: engine.Running, Detail: "run test/" + name + " has begun"}, out)
	}
	again, err := run.Plan(t.Context(), p)
	require.NoError(t, err)
	require.True(t, again.NoOp, "this very change has its run")
	begun, err = resumer.Resume(t.Context(), change)
	require.NoError(t, err)
	require.True(t, begun)

	box.err = engine.Retry(errors.New("the journal is full"))
	var out engine.Outcome
	eventually(t, "the run ends", func() bool {
		out, err = resumer.Verify(t.Context(), change)
		require.NoError(t, err)
		require.Equal(t, engine.Running, out.Status, "it is asked again, until the event is kept")
		return strings.Contains(out.Detail, "the journal is full")
	})
	box.err = nil
	for range 2 { // a crash may come after the event and before the outcome
		out, err = resumer.Verify(t.Context(), change)
		require.NoError(t, err)
		require.Equal(t, engine.Outcome{Status: engine.Done, Detail: "Succeeded, 2/2"}, out)
	}
	require.Len(t, box.events, 2)
	require.Equal(t, box.events[0], box.events[1])
	require.Len(t, o.Runs(), 1)
	require.Empty(t, cmp.Diff(engine.Event{
		ID: p.Identity + "-succeeded", Source: "/workflows/test/" + name, Type: workflowrun.Succeeded, Subject: "test/web", Hops: 2, Sender: "test/planner",
		Time: o.Runs()[0].FinishedAt, Data: map[string]any{
			"workflow": "again", "template": "retrain", "run": name, "phase": "Succeeded", "message": "", "outputs": map[string]any{"accuracy": "0.93"},
		},
	}, box.events[0]))
	train := o.Runs()[0].Steps[2]
	require.Equal(t, "b", train.Attempts[0].Node)
	raw, err := os.ReadFile(train.Attempts[0].Log)
	require.NoError(t, err)
	require.Equal(t, "digits b\n", string(raw))
}

func TestAWorkflowThatFailsSaysWhere(t *testing.T) {
	o := open(t, t.TempDir())
	box := &inbox{}
	o.Publish = box.publish
	reload(t, o, retrain("exit 5", ""))
	_, out := act(t, o, onRetrain(withData()))
	require.Equal(t, engine.Failed, out.Status)
	log := o.Runs()[0].Steps[2].Attempts[0].Log
	require.Equal(t, "Failed, 2/2: train: exit status 5; its log is "+log, out.Detail)
	require.FileExists(t, log)
	require.Equal(t, workflowrun.Failed, box.events[0].Type)
	require.Contains(t, box.events[0].Data.(map[string]any)["message"], "exit status 5")
}

func TestAWorkflowIsRefusedByName(t *testing.T) {
	o := open(t, t.TempDir())
	reload(t, o, retrain(good, "")+strings.Replace(strings.Replace(retrain(good, ""), "name: retrain", "name: placed", 1), "- name: load\n", "- name: load\n      affinity: {podAntiAffinity: {}}\n", 1))
	for name, row := range map[string]struct {
		with map[string]any
		want []string
	}{
		"no template":     {map[string]any{"template": "rain"}, []string{"WorkflowTemplate test/rain: there is none; these are: test/placed, test/retrain"}},
		"no CronJob":      {map[string]any{"template": "retrain", "kind": "CronJob"}, []string{"CronJob test/retrain: there is none; these are: none"}},
		"parameters":      {map[string]any{"template": "retrain", "parameters": map[string]any{"epoch": "3"}}, []string{"with.parameters.data: is missing", "with.parameters.epoch: the template has no such parameter; it has data, epochs"}},
		"node labels":     {withData("nodeSelector", map[string]any{"gpu": "y"}), []string{"with.nodeSelector.gpu: local nodes have no such label"}},
		"topology":        {withData("antiAffinity", map[string]any{"matchLabels": map[string]any{"a": "b"}, "topologyKey": "zone"}), []string{"with.antiAffinity.topologyKey: "}},
		"placed by steps": {map[string]any{"template": "placed", "parameters": map[string]any{"data": "x"}, "antiAffinity": map[string]any{"matchLabels": map[string]any{"a": "b"}}}, []string{"template load has an affinity of its own"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := WorkflowRunActuator(o).Plan(t.Context(), onRetrain(row.with))
			for _, w := range row.want {
				require.ErrorContains(t, err, w)
			}
		})
	}
	t.Run("the template changes between plan and act", func(t *testing.T) {
		change, err := WorkflowRunActuator(o).Plan(t.Context(), onRetrain(withData()))
		require.NoError(t, err)
		reload(t, o, retrain("true", ""))
		_, err = WorkflowRunActuator(o).Apply(t.Context(), change)
		require.ErrorContains(t, err, "was changed after this was decided")
		require.False(t, engine.IsRetryable(err))
		require.Empty(t, o.Runs())
	})
}

// S3 on a laptop: batch work that is told to keep away from what serves.
func TestStepsAndPodsKeepApart(t *testing.T) {
	o := open(t, t.TempDir()) // nodes a, b, c
	hold := filepath.Join(t.TempDir(), "hold")
	reload(t, o, web("web", 2)+retrain("until [ -e "+hold+" ]; do sleep 0.01; done; "+good, "  podMetadata: {labels: {app: batch}}"))
	waitReady(t, o, "web")
	busy := map[string]bool{}
	for _, p := range workload(t, o, "web").Pods {
		busy[p.Node] = true
	}
	require.Len(t, busy, 2)
	p := onRetrain(withData("antiAffinity", map[string]any{"matchLabels": map[string]any{"app": "web"}}))
	run := WorkflowRunActuator(o)
	change, err := run.Plan(t.Context(), p)
	require.NoError(t, err)
	require.Contains(t, change.Diff, "; pods away from those with app=web")
	_, err = run.Apply(t.Context(), change)
	require.NoError(t, err)
	eventually(t, "train runs", func() bool { return len(o.Runs()[0].Steps[2].Attempts) == 1 })
	require.NotContains(t, busy, o.Runs()[0].Steps[2].Attempts[0].Node)

	// It binds both ways: the service's next pods keep away from the step.
	require.NoError(t, o.setReplicas(key{"test", "web"}, 4))
	waitReady(t, o, "web")
	for _, p := range workload(t, o, "web").Pods {
		require.NotEqual(t, o.Runs()[0].Steps[2].Attempts[0].Node, p.Node)
	}
	require.NoError(t, os.WriteFile(hold, nil, 0o600))
	eventually(t, "it ends", func() bool { return o.Runs()[0].Phase == workflow.Succeeded })
	require.NoError(t, o.setReplicas(key{"test", "web"}, 6))
	waitReady(t, o, "web")

	// And now the batch work has nowhere to go, until a node is free.
	p.Identity = engine.Identity(p, "another firing")
	change, err = run.Plan(t.Context(), p)
	require.NoError(t, err)
	_, err = run.Apply(t.Context(), change)
	require.NoError(t, err)
	eventually(t, "it waits", func() bool { return o.Runs()[0].Steps[1].Phase == workflow.Pending })
	require.Contains(t, o.Runs()[0].Steps[1].Message, "no node can take it")
	require.NoError(t, o.setReplicas(key{"test", "web"}, 1))
	eventually(t, "it runs", func() bool { return o.Runs()[0].Phase == workflow.Succeeded })
}

// The daemon is killed in the middle of a step; the next one goes on with the run.
func TestAWorkflowOutlivesTheDaemon(t *testing.T) {
	dir, hold := t.TempDir(), filepath.Join(t.TempDir(), "hold")
	yaml := retrain("echo begun >>"+hold+"; until [ -e "+hold+".go ]; do sleep 0.01; done; "+good, "")
	file := write(t, yaml)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), daemonRole+"="+dir+" "+file, daemonRuns+"=retrain")
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	eventually(t, "the second step runs", func() bool { _, err := os.Stat(hold); return err == nil })
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())

	o := open(t, dir)
	box := &inbox{}
	o.Publish = box.publish
	require.NoError(t, readAndApply(t.Context(), o, file))
	require.Len(t, o.Runs(), 1)
	var running workflow.Attempt
	eventually(t, "its process is found", func() bool { // of which the daemon may not have written down the number
		running = o.Runs()[0].Steps[2].Attempts[0]
		return running.PID > 0
	})
	change, err := WorkflowRunActuator(o).Plan(t.Context(), onRetrain(withData()))
	require.NoError(t, err)
	require.True(t, change.NoOp)
	begun, err := WorkflowRunActuator(o).(engine.Resumer).Resume(t.Context(), change)
	require.NoError(t, err)
	require.True(t, begun)
	require.NoError(t, os.WriteFile(hold+".go", nil, 0o600))
	var out engine.Outcome
	eventually(t, "it ends", func() bool {
		out, err = WorkflowRunActuator(o).(engine.Verifier).Verify(t.Context(), change)
		return err == nil && out.Status != engine.Running
	})
	require.Equal(t, engine.Outcome{Status: engine.Done, Detail: "Succeeded, 2/2"}, out)
	require.Len(t, box.events, 1)
	require.Equal(t, running.PID, o.Runs()[0].Steps[2].Attempts[0].PID)
	require.Len(t, o.Runs()[0].Steps[2].Attempts, 1)
	begins, err := os.ReadFile(hold)
	require.NoError(t, err)
	require.Equal(t, "begun\n", string(begins), "the very same process")
	require.NoError(t, o.CancelRun("test", o.Runs()[0].Name, "too late"))
	require.ErrorIs(t, o.CancelRun("test", "absent", ""), workflow.ErrUnknownRun)
	require.False(t, pod.Alive(running.PID, ""))
}

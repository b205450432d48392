package local

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
	"github.com/scanflow-k8s/scanflow/actuators/local/testlocal"
	"github.com/scanflow-k8s/scanflow/actuators/workflowrun"
	"github.com/scanflow-k8s/scanflow/engine"
)

// inbox collects the published events, or fails with err.
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
	o := testlocal.Open(t, t.TempDir())
	box := &inbox{}
	testlocal.Reload(t, o, testlocal.Retrain(testlocal.Good, ""))
	run := WorkflowRun(o, box.publish)
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
	testlocal.Eventually(t, "the run ends", func() bool {
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
	o := testlocal.Open(t, t.TempDir())
	box := &inbox{}
	testlocal.Reload(t, o, testlocal.Retrain("exit 5", ""))
	_, out := actBy(t, WorkflowRun(o, box.publish), onRetrain(withData()))
	require.Equal(t, engine.Failed, out.Status)
	log := o.Runs()[0].Steps[2].Attempts[0].Log
	require.Equal(t, "Failed, 2/2: train: exit status 5; its log is "+log, out.Detail)
	require.FileExists(t, log)
	require.Equal(t, workflowrun.Failed, box.events[0].Type)
	require.Contains(t, box.events[0].Data.(map[string]any)["message"], "exit status 5")
}

func TestAWorkflowIsRefusedByName(t *testing.T) {
	o := testlocal.Open(t, t.TempDir())
	testlocal.Reload(t, o, testlocal.Retrain(testlocal.Good, "")+strings.Replace(strings.Replace(testlocal.Retrain(testlocal.Good, ""), "name: retrain", "name: placed", 1), "- name: load\n", "- name: load\n      affinity: {podAntiAffinity: {}}\n", 1))
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
			_, err := WorkflowRun(o, nil).Plan(t.Context(), onRetrain(row.with))
			for _, w := range row.want {
				require.ErrorContains(t, err, w)
			}
		})
	}
	t.Run("the template changes between plan and act", func(t *testing.T) {
		change, err := WorkflowRun(o, nil).Plan(t.Context(), onRetrain(withData()))
		require.NoError(t, err)
		testlocal.Reload(t, o, testlocal.Retrain("true", ""))
		_, err = WorkflowRun(o, nil).Apply(t.Context(), change)
		require.ErrorContains(t, err, "was changed after this was decided")
		require.False(t, engine.IsRetryable(err))
		require.Empty(t, o.Runs())
	})
}

// A batch workflow keeps away from a serving Deployment by anti-affinity.
func TestStepsAndPodsKeepApart(t *testing.T) {
	o := testlocal.Open(t, t.TempDir()) // nodes a, b, c
	hold := filepath.Join(t.TempDir(), "hold")
	testlocal.Reload(t, o, testlocal.Web("web", 2)+testlocal.Retrain("until [ -e "+hold+" ]; do sleep 0.01; done; "+testlocal.Good, "  podMetadata: {labels: {app: batch}}"))
	testlocal.WaitReady(t, o, "web")
	busy := map[string]bool{}
	for _, p := range testlocal.Workload(t, o, "web").Pods {
		busy[p.Node] = true
	}
	require.Len(t, busy, 2)
	p := onRetrain(withData("antiAffinity", map[string]any{"matchLabels": map[string]any{"app": "web"}}))
	run := WorkflowRun(o, nil)
	change, err := run.Plan(t.Context(), p)
	require.NoError(t, err)
	require.Contains(t, change.Diff, "; pods away from those with app=web")
	_, err = run.Apply(t.Context(), change)
	require.NoError(t, err)
	testlocal.Eventually(t, "train runs", func() bool { return len(o.Runs()[0].Steps[2].Attempts) == 1 })
	require.NotContains(t, busy, o.Runs()[0].Steps[2].Attempts[0].Node)

	// Anti-affinity binds both ways: new pods of the Deployment keep away from the step.
	require.NoError(t, o.SetReplicas(named("test", "web"), 4))
	testlocal.WaitReady(t, o, "web")
	for _, p := range testlocal.Workload(t, o, "web").Pods {
		require.NotEqual(t, o.Runs()[0].Steps[2].Attempts[0].Node, p.Node)
	}
	require.NoError(t, os.WriteFile(hold, nil, 0o600))
	testlocal.Eventually(t, "it ends", func() bool { return o.Runs()[0].Phase == workflow.Succeeded })
	require.NoError(t, o.SetReplicas(named("test", "web"), 6))
	testlocal.WaitReady(t, o, "web")

	// The next run has to wait until a node is free.
	p.Identity = engine.Identity(p, "another firing")
	change, err = run.Plan(t.Context(), p)
	require.NoError(t, err)
	_, err = run.Apply(t.Context(), change)
	require.NoError(t, err)
	testlocal.Eventually(t, "it waits", func() bool { return o.Runs()[0].Steps[1].Phase == workflow.Pending })
	require.Contains(t, o.Runs()[0].Steps[1].Message, "no node can take it")
	require.NoError(t, o.SetReplicas(named("test", "web"), 1))
	testlocal.Eventually(t, "it runs", func() bool { return o.Runs()[0].Phase == workflow.Succeeded })
}

// The daemon is killed in the middle of a step; the next one continues the run.
func TestAWorkflowOutlivesTheDaemon(t *testing.T) {
	dir, hold := t.TempDir(), filepath.Join(t.TempDir(), "hold")
	yaml := testlocal.Retrain("echo begun >>"+hold+"; until [ -e "+hold+".go ]; do sleep 0.01; done; "+testlocal.Good, "")
	file := testlocal.Write(t, yaml)
	cmd := testlocal.Daemon(t, dir, file)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	testlocal.Eventually(t, "the second step runs", func() bool { _, err := os.Stat(hold); return err == nil })
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())

	o := testlocal.Open(t, dir)
	box := &inbox{}
	run := WorkflowRun(o, box.publish)
	require.NoError(t, testlocal.ReadAndApply(t.Context(), o, file))
	require.Len(t, o.Runs(), 1)
	var running workflow.Attempt
	testlocal.Eventually(t, "its process is found", func() bool { // of which the daemon may not have written down the number
		running = o.Runs()[0].Steps[2].Attempts[0]
		return running.PID > 0
	})
	change, err := run.Plan(t.Context(), onRetrain(withData()))
	require.NoError(t, err)
	require.True(t, change.NoOp)
	begun, err := run.(engine.Resumer).Resume(t.Context(), change)
	require.NoError(t, err)
	require.True(t, begun)
	require.NoError(t, os.WriteFile(hold+".go", nil, 0o600))
	var out engine.Outcome
	testlocal.Eventually(t, "it ends", func() bool {
		out, err = run.(engine.Verifier).Verify(t.Context(), change)
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

func TestACronJobIsRunAsOneStep(t *testing.T) {
	o := testlocal.Open(t, t.TempDir())
	testlocal.Reload(t, o, testlocal.CronJob(""))
	_, out := act(t, o, onRetrain(map[string]any{"template": "score", "kind": "CronJob", "parameters": map[string]any{"FROM": "{{there}}", "N": "8"}}))
	require.Equal(t, engine.Outcome{Status: engine.Done, Detail: "Succeeded, 1/1"}, out)
	raw, err := os.ReadFile(o.Runs()[0].Steps[0].Attempts[0].Log)
	require.NoError(t, err)
	require.Equal(t, "to {{there}} 8\n", string(raw))
}

// The variables of a step can refer to its limit.
func TestAVariableOfAStepRefersToItsLimit(t *testing.T) {
	o := testlocal.Open(t, t.TempDir())
	out := filepath.Join(t.TempDir(), "limit")
	yaml := strings.Replace(testlocal.Retrain(testlocal.Good, ""), `env: [{name: NODE`, "resources: {limits: {cpu: 150m}}, env: [{name: CPU_LIMIT, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1m}}}, {name: NODE", 1)
	yaml = strings.Replace(yaml, "args: ['echo", "args: ['echo $CPU_LIMIT >"+out+"; echo", 1)
	testlocal.Reload(t, o, yaml)
	_, end := act(t, o, onRetrain(withData()))
	require.Equal(t, engine.Done, end.Status, end.Detail)
	raw, err := os.ReadFile(out)
	require.NoError(t, err)
	require.Equal(t, "150\n", string(raw))
}

package workflowcontroller

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators/kubernetes"
	"github.com/scanflow-k8s/scanflow/actuators/workflowrun"
	"github.com/scanflow-k8s/scanflow/engine"
)

const good = "cat $0; echo 0.93 >$1"

// A Workflow of the verb workflow.run, from its creation to the event of its end.
func TestTheVerbWorkflowRun(t *testing.T) {
	b := newBench(t)
	b.start()
	b.template(good, "")
	var told []engine.Event
	run := kubernetes.WorkflowRun(&kubernetes.Cluster{
		Client: b.cluster.Client(), Clock: engine.WallClock{},
		Publish: func(_ context.Context, e engine.Event) error { told = append(told, e); return nil },
	})
	p := engine.Proposal{
		Agent: "default/checker", Primitive: "workflow.run", Target: engine.Target{APIVersion: "apps/v1", Kind: "Deployment", Namespace: b.ns, Name: "digits"},
		With: map[string]any{"template": "train", "parameters": map[string]any{"data": "digits"}},
	}
	p.Identity = engine.Identity(p, "f1")
	change, err := run.Plan(t.Context(), p)
	require.NoError(t, err)
	out, err := run.Apply(t.Context(), change)
	require.NoError(t, err)
	b.until("the act ends", func() bool {
		out, err = run.(engine.Verifier).Verify(t.Context(), change)
		require.NoError(t, err)
		return out.Status != engine.Running
	})
	require.Equal(t, engine.Outcome{Status: engine.Done, Detail: "Succeeded, 2/2"}, out)
	require.Len(t, told, 1)
	require.Equal(t, workflowrun.Succeeded, told[0].Type)
	require.Equal(t, map[string]any{"accuracy": "0.93"}, told[0].Data.(map[string]any)["outputs"])
	name := workflowrun.Name("train", p.Identity)
	o := b.get(name)
	require.Equal(t, "Succeeded", o.GetLabels()["workflows.argoproj.io/phase"])
	require.Equal(t, "true", o.GetLabels()["workflows.argoproj.io/completed"])
	require.Equal(t, p.Identity, o.GetLabels()["scanflow.dev/identity"], "what the verb wrote stays")
	raw, err := os.ReadFile(filepath.Join(b.dir, b.ns+"_"+name, "fit.0", "log"))
	require.NoError(t, err)
	require.Equal(t, "digits 2\n", string(raw))
}

func TestAFailureHasArgosStatus(t *testing.T) {
	b := newBench(t)
	b.start()
	b.template("exit 3", `retryStrategy: {limit: "1"}`)
	b.workflow("")
	o := b.phase("run", "Failed")
	nodes, _ := o.Object["status"].(map[string]any)["nodes"].(map[string]any)
	byName := map[string]map[string]any{}
	for id, raw := range nodes {
		node := raw.(map[string]any)
		require.Equal(t, id, node["id"])
		byName[node["name"].(string)] = node
	}
	require.Len(t, byName, 5)
	root, load, fit, last := byName["run"], byName["run.load"], byName["run.fit"], byName["run.fit(1)"]
	require.Equal(t, "DAG", root["type"])
	require.Equal(t, "Pod", load["type"])
	require.Equal(t, "Succeeded", load["phase"])
	require.Equal(t, map[string]any{"exitCode": "0"}, load["outputs"])
	require.Equal(t, "Retry", fit["type"])
	require.Equal(t, "run", fit["boundaryID"])
	require.Equal(t, []any{byName["run.fit(0)"]["id"], last["id"]}, fit["children"])
	require.Equal(t, []any{load["id"]}, root["children"])
	require.Equal(t, []any{fit["id"]}, load["children"])
	require.Equal(t, "Failed", last["phase"])
	require.Equal(t, "exit status 3", last["message"])
	require.Contains(t, field(o, "status", "message"), "fit: attempt 2: exit status 3; its log is "+b.dir)
	require.Equal(t, "2/2", field(o, "status", "progress"))
	require.NotEmpty(t, field(o, "status", "finishedAt"))
}

func TestUnsupportedWorkflowsEndAsError(t *testing.T) {
	b := newBench(t)
	b.start()
	for name, row := range map[string]struct{ object, want string }{
		"no-template": {"{workflowTemplateRef: {name: absent}}", `"absent" not found`},
		"no-ref":      {"{entrypoint: main, templates: []}", "it has no workflowTemplateRef"},
		"parameters":  {"{workflowTemplateRef: {name: train}}", "with.parameters.data: is missing"},
		"steps":       {"{workflowTemplateRef: {name: steps}}", "spec.templates[0].steps: can't be honoured by the local orchestrator; write them as a dag"},
	} {
		b.template(good, "")
		b.cluster.Apply(t, "apiVersion: argoproj.io/v1alpha1\nkind: WorkflowTemplate\nmetadata: {name: steps, namespace: "+b.ns+"}\nspec: {entrypoint: main, templates: [{name: main, steps: []}]}")
		b.cluster.Apply(t, "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: "+name+", namespace: "+b.ns+"}\nspec: "+row.object)
		require.Contains(t, field(b.phase(name, "Error"), "status", "message"), row.want)
	}
}

// holding is a script that writes the PID of its recorder to a file, and waits for another file.
func holding(at string) string {
	return "echo $PPID >" + at + "; until [ -e " + at + ".go ]; do sleep 0.01; done; " + good
}

func (b *bench) running(at string) (recorder int) {
	b.Helper()
	b.until("the step runs", func() bool {
		var err error
		recorder, err = strconv.Atoi(b.written(at))
		return err == nil
	})
	return recorder
}

func TestAWorkflowIsShutDown(t *testing.T) {
	b := newBench(t)
	b.start()
	at := b.file("pid")
	b.template(holding(at), "")
	b.workflow("")
	b.running(at)
	b.phase("run", "Running")
	b.patch("run", `{"spec":{"shutdown":"Terminate"}}`)
	require.Equal(t, "workflow shutdown with strategy: Terminate", field(b.phase("run", "Failed"), "status", "message"))
}

func TestASuspendedWorkflowWaits(t *testing.T) {
	b := newBench(t)
	b.start()
	b.template(good, "")
	b.workflow(", suspend: true")
	o := b.phase("run", "Running")
	require.NotContains(t, o.Object["status"], "nodes", "taken up, and not begun")
	require.NoFileExists(t, filepath.Join(b.dir, b.ns+"_run", "run.json"))
	b.patch("run", `{"spec":{"suspend":false}}`)
	b.phase("run", "Succeeded")
}

func TestADeletedWorkflowIsStoppedAndReplaced(t *testing.T) {
	b := newBench(t)
	b.start()
	at := b.file("pid")
	b.template(holding(at), "")
	first := b.workflow("")
	b.running(at)
	b.delete("run")
	second := b.workflow(", activeDeadlineSeconds: 1") // at once: the first is still ending
	require.NotEqual(t, first.GetUID(), second.GetUID())
	require.Equal(t, "it had not ended within 1s", field(b.phase("run", "Failed"), "status", "message"))
	b.delete("run")
	b.until("its files are gone", func() bool {
		_, err := os.Stat(filepath.Join(b.dir, b.ns+"_run"))
		return errors.Is(err, os.ErrNotExist)
	})
}

func TestARunSurvivesTheController(t *testing.T) {
	b := newBench(t)
	kill := b.child()
	at := b.file("pid")
	b.template(holding(at), "")
	b.workflow("")
	recorder := b.running(at)
	kill()
	require.NoError(t, syscall.Kill(recorder, 0), "the step goes on")
	require.NoError(t, os.WriteFile(at+".go", nil, 0o600))
	b.start()
	b.phase("run", "Succeeded")
	require.Equal(t, strconv.Itoa(recorder), b.written(at), "it was not begun again")
}

func TestStoppingEndsWhatRuns(t *testing.T) {
	b := newBench(t)
	stop := b.start()
	at := b.file("pid")
	b.template(holding(at), "")
	b.workflow("")
	b.running(at)
	stop()
	require.Equal(t, "ended with the orchestrator", field(b.phase("run", "Failed"), "status", "message"))

	b.workflow("")
	b.start()
	require.Equal(t, "Failed", field(b.get("run"), "status", "phase"), "what has ended is not begun again")
}

// A Workflow that was started, and whose run does not exist.
func TestAWorkflowWithoutItsFolder(t *testing.T) {
	b := newBench(t)
	b.template(good, "")
	b.workflow("")
	b.patch("run", `{"status":{"phase":"Running","nodes":{"run":{"phase":"Running"}}}}`)
	b.start()
	require.Contains(t, field(b.phase("run", "Error"), "status", "message"), "not known here any more")
}

func TestOptions(t *testing.T) {
	err := Run(t.Context(), Options{Dir: t.TempDir()})
	require.ErrorContains(t, err, "a client and a folder are needed")
}

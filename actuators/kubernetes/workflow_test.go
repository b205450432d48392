package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/actuators/workflowrun"
	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine"
)

var (
	workflowsResource         = schema.GroupVersionResource{Group: argoGroup, Version: "v1alpha1", Resource: "workflows"}
	workflowTemplatesResource = schema.GroupVersionResource{Group: argoGroup, Version: "v1alpha1", Resource: "workflowtemplates"}
	jobsResource              = schema.GroupVersionResource{Group: "batch", Version: "v1", Resource: "jobs"}
)

func trainTemplate(namespace, extra string) string {
	return fmt.Sprintf(`
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: train, namespace: %s}
spec:
  entrypoint: main
  arguments: {parameters: [{name: data}, {name: epochs, value: "1"}]}
  templates: [{name: main, container: {image: none}}]
  %s
`, namespace, extra)
}

func onTrain(namespace, with string) engine.Proposal {
	return onDeployment("workflow.run", namespace, "serving", with)
}

const trainOnS3 = `{"template": "train", "name": "retrain", "parameters": {"data": "s3://digits"}}`

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

func argo(t testing.TB) (*testcluster.Cluster, string, engine.Actuator, *inbox) {
	t.Helper()
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "workflow", "workflowtemplate")
	ns := c.Namespace(t)
	acts, box := acting(c.Client()), &inbox{}
	acts.Publish = box.publish
	return c, ns, WorkflowRun(acts), box
}

func runsIn(t testing.TB, c *testcluster.Cluster, resource schema.GroupVersionResource, namespace string) (names []string) {
	t.Helper()
	list, err := c.Client().Dynamic.Resource(resource).Namespace(namespace).List(testContext(t), metav1.ListOptions{})
	require.NoError(t, err)
	for _, o := range list.Items {
		names = append(names, o.GetName())
	}
	return names
}

func TestAWorkflowIsRunOnce(t *testing.T) {
	c, ns, run, _ := argo(t)
	c.Apply(t, trainTemplate(ns, "nodeSelector: {disk: fast}"))
	p := onTrain(ns, `{"template": "train", "name": "retrain", "parameters": {"data": "s3://digits"}, "antiAffinity": {"matchLabels": {"app": "serving"}}, "nodeSelector": {"pool": "batch"}}`)
	change := planOf(t, run, p)
	name := "train-" + p.Identity[:10]
	require.Equal(t, "run WorkflowTemplate train as Workflow "+name+" with data=s3://digits; pods away from those with app=serving, by kubernetes.io/hostname, required; nodes with pool=batch", change.Diff)
	require.Empty(t, runsIn(t, c, workflowsResource, ns), "a plan makes nothing")

	begun, err := run.(engine.Resumer).Resume(testContext(t), change)
	require.NoError(t, err)
	require.False(t, begun)
	for range 2 {
		_, err := run.Apply(testContext(t), change)
		require.NoError(t, err)
	}
	require.True(t, planOf(t, run, p).NoOp, "this very change has its run")
	c.Delete(t, workflowTemplatesResource, ns, "train")
	_, err = run.Apply(testContext(t), change)
	require.NoError(t, err, "it has been made, whatever became of the template")
	require.Equal(t, []string{name}, runsIn(t, c, workflowsResource, ns))
	begun, err = run.(engine.Resumer).Resume(testContext(t), change)
	require.NoError(t, err)
	require.True(t, begun)

	o := fetch(t, c, argoVersion, "Workflow", ns, name)
	require.Empty(t, cmp.Diff(map[string]string{"scanflow.dev/identity": p.Identity, "scanflow.dev/agent": "default.planner", "scanflow.dev/target": "serving", "scanflow.dev/workflow": "retrain"}, o.GetLabels()))
	require.Empty(t, cmp.Diff(map[string]string{"scanflow.dev/agent": "default/planner", "scanflow.dev/target": "Deployment " + ns + "/serving"}, o.GetAnnotations()))
	require.Empty(t, o.GetOwnerReferences())
	require.JSONEq(t, `{
		"workflowTemplateRef": {"name": "train"},
		"arguments": {"parameters": [{"name": "data", "value": "s3://digits"}]},
		"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [`+servingTerm+`]}},
		"nodeSelector": {"disk": "fast", "pool": "batch"},
		"ttlStrategy": {"secondsAfterCompletion": 86400}}`, at(t, o, "spec"))
}

func TestAWorkflowIsFollowedToItsEnd(t *testing.T) {
	c, ns, run, box := argo(t)
	c.Apply(t, trainTemplate(ns, "ttlStrategy: {secondsAfterSuccess: 0, secondsAfterFailure: 7200}"))
	for _, row := range []struct {
		phase string
		want  engine.Status
		event string
	}{
		{"Succeeded", engine.Done, workflowrun.Succeeded}, {"Failed", engine.Failed, workflowrun.Failed}, {"Error", engine.Failed, workflowrun.Failed},
	} {
		t.Run(row.phase, func(t *testing.T) {
			p := onTrain(ns, trainOnS3)
			p.Identity = engine.Identity(p, row.phase)
			change := do(t, run, p)
			name := "train-" + p.Identity[:10]
			require.JSONEq(t, `{"secondsAfterSuccess":600,"secondsAfterFailure":7200}`, at(t, fetch(t, c, argoVersion, "Workflow", ns, name), "spec", "ttlStrategy"), "kept until its end is seen")
			status := func(fields string) { c.Patch(t, workflowsResource, ns, name, `{"status":{`+fields+`}}`) }

			require.Equal(t, engine.Outcome{Status: engine.Running, Detail: "not taken up yet: is its controller running?"}, verified(t, run, change))
			status(`"phase":"Running","progress":"2/5"`)
			require.Equal(t, engine.Outcome{Status: engine.Running, Detail: "Running, 2/5"}, verified(t, run, change))
			status(fmt.Sprintf(`"phase":%q,"message":"as told","progress":"5/5","finishedAt":"2026-03-01T12:00:00Z",
				"nodes":{%q:{"outputs":{"parameters":[{"name":"accuracy","value":"0.93"},{"name":"log","value":%q}]}},"other":{"outputs":{"parameters":[{"name":"x","value":"y"}]}}},
				"outputs":{"parameters":[{"name":"version","value":"4"}]}`, row.phase, name, strings.Repeat("x", workflowrun.MostOutputs)))

			box.events, box.err = nil, engine.Retry(errors.New("the journal is full"))
			out := verified(t, run, change)
			require.Equal(t, engine.Running, out.Status, "it is asked again, until the event is kept")
			require.Contains(t, out.Detail, "the journal is full")
			box.err = nil
			for range 2 { // a crash may come after the event and before the outcome
				out = verified(t, run, change)
				require.Equal(t, engine.Outcome{Status: row.want, Detail: row.phase + ", 5/5: as told"}, out)
			}
			require.Len(t, box.events, 2)
			require.Equal(t, box.events[0], box.events[1])
			require.Empty(t, cmp.Diff(engine.Event{
				ID: p.Identity + "-" + strings.ToLower(row.phase), Source: "/workflows/" + ns + "/" + name, Type: row.event, Subject: ns + "/serving", Sender: "default/planner",
				Time: timeOf("2026-03-01T12:00:00Z"), Data: map[string]any{
					"workflow": "retrain", "template": "train", "run": name, "phase": row.phase, "message": "as told",
					"outputs": map[string]any{"accuracy": "0.93", "version": "4"}, "outputs_left_out": []any{"log"},
				},
			}, box.events[0]))

			box.err = errors.New("no agent here has a trigger for it")
			out = verified(t, run, change)
			require.Equal(t, row.want, out.Status, "nobody need listen")
			require.Contains(t, out.Detail, "no agent here has a trigger")
			box.err = nil

			c.Delete(t, workflowsResource, ns, name)
			require.Equal(t, engine.Failed, verified(t, run, change).Status)
		})
	}
}

func TestAWorkflowIsRefused(t *testing.T) {
	c, ns, run, _ := argo(t)
	c.Apply(t, trainTemplate(ns, ""))
	for name, row := range map[string]struct {
		with string
		want []string
	}{
		"no template":        {`{"template": "rain"}`, []string{`"rain" not found`}},
		"no CronJob":         {`{"template": "train", "kind": "CronJob"}`, []string{"CronJob", `"train" not found`}},
		"another kind":       {`{"template": "train", "kind": "Workflow"}`, []string{"kind"}},
		"all parameters":     {`{"template": "train", "parameters": {"epoch": "2", "seed": "1"}}`, []string{"with.parameters.data: is missing", "with.parameters.epoch: the template has no such parameter; it has data, epochs", "with.parameters.seed"}},
		"no parameter names": {`{"template": "train", "parameters": {"a b": "2"}, "nodeSelector": {"": "x"}}`, []string{"a b", "nodeSelector"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := refused(t, run, onTrain(ns, row.with))
			for _, w := range row.want {
				require.ErrorContains(t, err, w)
			}
		})
	}
	t.Run("its pods are placed elsewhere", func(t *testing.T) {
		own := c.Namespace(t)
		c.Apply(t, strings.Replace(trainTemplate(own, ""), "{name: main,", "{name: main, affinity: {nodeAffinity: {}},", 1))
		require.ErrorContains(t, refused(t, run, onTrain(own, `{"template": "train", "parameters": {"data": "x"}, "antiAffinity": {"matchLabels": {"a": "b"}}}`)), "has an affinity of its own")
	})
	t.Run("the template changes between plan and act", func(t *testing.T) {
		change := planOf(t, run, onTrain(ns, trainOnS3))
		c.Apply(t, trainTemplate(ns, "parallelism: 2"))
		_, err := run.Apply(testContext(t), change)
		require.ErrorIs(t, err, ErrMoved)
		require.False(t, engine.IsRetryable(err))
	})
	t.Run("the name is somebody else's", func(t *testing.T) {
		p := onTrain(ns, trainOnS3)
		change := planOf(t, run, p)
		c.Apply(t, workflow(ns, "train-"+p.Identity[:10], "", "phase: Running"))
		_, err := run.Apply(testContext(t), change)
		require.ErrorIs(t, err, errNotOurs)
		begun, err := run.(engine.Resumer).Resume(testContext(t), change)
		require.NoError(t, err)
		require.False(t, begun)
	})
}

func scoreCronJob(namespace, extra string) string {
	return fmt.Sprintf(`
apiVersion: batch/v1
kind: CronJob
metadata: {name: score, namespace: %s}
spec:
  schedule: "0 0 1 1 *"
  suspend: true
  jobTemplate:
    metadata: {labels: {team: ml}}
    spec:
      %s
      template:
        metadata: {labels: {app: score}}
        spec:
          restartPolicy: Never
          initContainers: [{name: fetch, image: none}]
          containers: [{name: main, image: none, env: [{name: FROM, value: here}, {name: TO, value: "$(FROM)"}]}]
`, namespace, extra)
}

// A real Job, which the real controller fails.
func TestAJobFails(t *testing.T) {
	c, ns, run, box := argo(t)
	c.Apply(t, scoreCronJob(ns, "activeDeadlineSeconds: 1"))
	p := onTrain(ns, `{"template": "score", "kind": "CronJob", "parameters": {"FROM": "there", "N": "8"}, "antiAffinity": {"matchLabels": {"app": "serving"}}}`)
	change := do(t, run, p)
	_, err := run.Apply(testContext(t), change)
	require.NoError(t, err)
	name := "score-" + p.Identity[:10]
	require.Equal(t, []string{name}, runsIn(t, c, jobsResource, ns))
	o := fetch(t, c, "batch/v1", "Job", ns, name)
	require.Equal(t, "ml", o.GetLabels()["team"])
	require.Equal(t, p.Identity, o.GetLabels()[identityLabel])
	require.JSONEq(t, `[{"name":"FROM","value":"there"},{"name":"TO","value":"$(FROM)"},{"name":"N","value":"8"}]`, at(t, o, "spec", "template", "spec", "containers", 0, "env"))
	require.JSONEq(t, `[{"name":"FROM","value":"there"},{"name":"N","value":"8"}]`, at(t, o, "spec", "template", "spec", "initContainers", 0, "env"))
	require.JSONEq(t, `"score"`, at(t, o, "spec", "template", "metadata", "labels", workflowLabel))
	require.JSONEq(t, "["+servingTerm+"]", at(t, o, append([]any{"spec", "template", "spec"}, "affinity", "podAntiAffinity", hard)...))
	require.Equal(t, "86400", at(t, o, "spec", "ttlSecondsAfterFinished"))

	out := until(t, run, change, engine.Failed)
	require.Contains(t, out.Detail, "Failed, 0 of 1 succeeded")
	require.Len(t, box.events, 1)
	require.Equal(t, workflowrun.Failed, box.events[0].Type)
	require.Contains(t, box.events[0].Data.(map[string]any)["message"], "longer than specified deadline")
}

func TestLabelsOfRuns(t *testing.T) {
	require.Equal(t, "default.planner", labelValue("default/planner"))
	require.Len(t, labelValue(strings.Repeat("x", 300)), maxLabelValue)
	require.NotEqual(t, labelValue(strings.Repeat("x", 300)), labelValue(strings.Repeat("x", 301)))
}

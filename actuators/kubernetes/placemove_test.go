package kubernetes

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine"
)

// argoTakesUp writes a Workflow's status as Argo's controller does, by an update of the
// whole object.
func argoTakesUp(t testing.TB, c *testcluster.Cluster, ns, name, status string) {
	t.Helper()
	o := fetch(t, c, argoVersion, "Workflow", ns, name)
	var fields map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(status), &fields))
	now, _ := o.Object["status"].(map[string]any)
	o.Object["status"] = overlay(now, fields)
	_, err := c.Client().Dynamic.Resource(workflowsResource).Namespace(ns).Update(testContext(t), o, metav1.UpdateOptions{FieldManager: "workflow-controller"})
	require.NoError(t, err)
}

// underWay is the status of a run of two steps, the second of which runs as its first
// attempt; retry is the strategy of its template.
func underWay(retry string) string {
	return `
phase: Running
storedWorkflowTemplateSpec:
  entrypoint: main
  templates:
  - {name: main, dag: {tasks: [{name: load, template: load}, {name: infer, template: infer}]}}
  - {name: load, container: {image: none}}
  - {name: infer, ` + retry + ` container: {image: none}}
nodes:
  run: {id: run, name: run, type: DAG, phase: Running, templateName: main, children: [run-load]}
  run-load: {id: run-load, name: run.load, displayName: load, type: Pod, phase: Succeeded, templateName: load}
  run-infer: {id: run-infer, name: run.infer, displayName: infer, type: Retry, phase: Running, templateName: infer, children: [run-infer-0]}
  run-infer-0: {id: run-infer-0, name: run.infer(0), displayName: infer(0), type: Pod, phase: Running, templateName: infer, startedAt: "2026-01-01T00:00:00Z", nodeFlag: {retried: true}}
`
}

const alwaysRetry = "retryStrategy: {limit: 2, retryPolicy: Always},"

func stepPod(ns, name, id string) string {
	return fmt.Sprintf(`---
apiVersion: v1
kind: Pod
metadata: {name: %s, namespace: %s, labels: {workflows.argoproj.io/workflow: run, app: batch}, annotations: {workflows.argoproj.io/node-id: %s}}
spec: {restartPolicy: Never, containers: [{name: main, image: none}]}
`, name, ns, id)
}

// placedPod is one that has the terms.
func placedPod(ns, name, id string) string {
	return strings.Replace(stepPod(ns, name, id), "spec: {", "spec: {affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: "+onlineTerm+"}}, ", 1)
}

// moving is a namespace with a run under way on the node of an online pod.
func moving(t *testing.T, retry string) (c *testcluster.Cluster, ns string, place engine.Actuator) {
	t.Helper()
	c = testcluster.Shared(t)
	c.InstallCRDs(t, "workflow", "workflowtemplate")
	ns = c.Namespace(t)
	c.Apply(t, trainTemplate(ns, "")+lone(ns, "online", "online")+stepPod(ns, "run-infer-pod", "run-infer-0"))
	c.Apply(t, workflow(ns, "run", ", workflowTemplateRef: {name: train}", ""))
	argoTakesUp(t, c, ns, "run", underWay(retry))
	for i, p := range c.WaitPods(t, ns, "app in (online, batch)", 2) {
		c.RunPod(t, p, ns+"-one", fmt.Sprintf("127.8.0.%d", i+1), 0)
	}
	return c, ns, Place(acting(c.Client()))
}

const moveAway = `{"template": "train", "move": true, "antiAffinity": {"matchLabels": {"app": "online"}}}`

const onlineTerm = `[{"labelSelector":{"matchLabels":{"app":"online"}},"topologyKey":"kubernetes.io/hostname"}]`

// The terms go where Argo reads them, and the pod that shares a node is evicted.
func TestPlaceMovesRunsUnderWay(t *testing.T) {
	c, ns, place := moving(t, alwaysRetry)
	p := onDeployment("place", ns, "serving", moveAway)
	change := planOf(t, place, p)
	require.Equal(t, "pods away from those with app=online, by kubernetes.io/hostname, required; run run: pods away from those with app=online, by kubernetes.io/hostname, required, step infer(0) leaves node "+ns+"-one (anti-affinity with pod "+ns+"/online)", change.Diff)
	require.Equal(t, "null", at(t, fetch(t, c, "v1", "Pod", ns, "run-infer-pod"), "metadata", "deletionTimestamp"), "a plan evicts nobody")
	for range 2 {
		_, err := place.Apply(testContext(t), change)
		require.NoError(t, err)
	}
	run := fetch(t, c, argoVersion, "Workflow", ns, "run")
	required := []any{"affinity", "podAntiAffinity", hard}
	require.JSONEq(t, onlineTerm, at(t, run, append([]any{"spec"}, required...)...))
	require.JSONEq(t, onlineTerm, at(t, run, append([]any{"status", storedSpecField}, required...)...))
	require.JSONEq(t, onlineTerm, at(t, fetch(t, c, argoVersion, "WorkflowTemplate", ns, "train"), append([]any{"spec"}, required...)...))
	require.NotEqual(t, "null", at(t, fetch(t, c, "v1", "Pod", ns, "run-infer-pod"), "metadata", "deletionTimestamp"), "it is evicted")
	out := verified(t, place, change)
	require.Equal(t, engine.Running, out.Status)
	require.Contains(t, out.Detail, "run run: step infer(0) is being ended on node "+ns+"-one")
	require.True(t, planOf(t, place, p).NoOp, "nothing is left to be asked for")

	c.Delete(t, podsResource, ns, "run-infer-pod") // as its kubelet would
	out = verified(t, place, change)
	require.Equal(t, engine.Running, out.Status)
	require.Contains(t, out.Detail, "step infer(0) has left node "+ns+"-one, and is not begun again yet")
	argoTakesUp(t, c, ns, "run", `
nodes:
  run-infer: {id: run-infer, name: run.infer, displayName: infer, type: Retry, phase: Running, templateName: infer, children: [run-infer-0, run-infer-1]}
  run-infer-0: {id: run-infer-0, name: run.infer(0), type: Pod, phase: Error, message: pod deleted, templateName: infer, nodeFlag: {retried: true}}
  run-infer-1: {id: run-infer-1, name: run.infer(1), displayName: infer(1), type: Pod, phase: Pending, templateName: infer, nodeFlag: {retried: true}}
`)
	c.Apply(t, stepPod(ns, "run-infer-stale", "run-infer-1"))
	out = verified(t, place, change)
	require.Equal(t, engine.Failed, out.Status)
	require.Contains(t, out.Detail, "begun again by the terms from before")
	c.Delete(t, podsResource, ns, "run-infer-stale")
	c.Apply(t, placedPod(ns, "run-infer-pod-1", "run-infer-1"))
	require.Contains(t, verified(t, place, change).Detail, "step infer(0) has left node "+ns+"-one, and waits: ")
	c.RunPod(t, *fetch(t, c, "v1", "Pod", ns, "run-infer-pod-1"), ns+"-two", "127.8.1.1", 0)
	out = verified(t, place, change)
	require.Equal(t, engine.Done, out.Status, out.Detail)
	require.Contains(t, out.Detail, "run run: step infer(0) on node "+ns+"-two")
	require.True(t, planOf(t, place, p).NoOp)

	_, err := place.(engine.Undoer).Undo(testContext(t), change)
	require.NoError(t, err)
	run = fetch(t, c, argoVersion, "Workflow", ns, "run")
	require.Equal(t, "null", at(t, run, append([]any{"spec"}, required...)...))
	require.Equal(t, "null", at(t, run, append([]any{"status", storedSpecField}, required...)...))
	require.Equal(t, "Running", at(t, run, "status", "phase")[1:8], "the rest of its status stays")
	require.Equal(t, engine.Failed, verified(t, place, change).Status)
}

// A step that Argo gives up after the eviction fails the act.
func TestAMovedStepThatIsGivenUp(t *testing.T) {
	c, ns, place := moving(t, alwaysRetry)
	change := do(t, place, onDeployment("place", ns, "serving", moveAway))
	c.Delete(t, podsResource, ns, "run-infer-pod")
	argoTakesUp(t, c, ns, "run", `nodes: {run-infer: {id: run-infer, name: run.infer, type: Retry, phase: Error, message: Max duration limit exceeded, templateName: infer, children: [run-infer-0]}}`)
	out := verified(t, place, change)
	require.Equal(t, engine.Failed, out.Status)
	require.Contains(t, out.Detail, "step infer(0) was ended and not begun again: Max duration limit exceeded")
	require.NoError(t, c.Client().Dynamic.Resource(workflowsResource).Namespace(ns).Delete(testContext(t), "run", metav1.DeleteOptions{}))
	out = verified(t, place, change)
	require.Equal(t, engine.Done, out.Status)
	require.Contains(t, out.Detail, "it is no more")
}

// A PodDisruptionBudget is minded: the eviction is tried again.
func TestAnEvictionThatABudgetForbids(t *testing.T) {
	c, ns, place := moving(t, alwaysRetry)
	c.Apply(t, fmt.Sprintf("apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: batch, namespace: %s}\nspec: {minAvailable: 1, selector: {matchLabels: {app: batch}}}\n", ns))
	change := planOf(t, place, onDeployment("place", ns, "serving", moveAway))
	_, err := place.Apply(testContext(t), change)
	require.ErrorContains(t, err, "evict pod "+ns+"/run-infer-pod of step infer(0)")
	require.True(t, engine.IsRetryable(err), "it is tried again")
	require.Equal(t, "null", at(t, fetch(t, c, "v1", "Pod", ns, "run-infer-pod"), "metadata", "deletionTimestamp"))
}

func TestAMoveIsRefusedByName(t *testing.T) {
	c, ns, place := moving(t, "")
	for with, want := range map[string]string{
		moveAway: "place Workflow " + ns + "/run: its step infer(0) can't leave node " + ns + "-one: it has no retryStrategy, so that it would fail once its pod is evicted; give it retryStrategy: {limit: N, retryPolicy: Always}",
		`{"template": "train", "move": true, "antiAffinity": {"matchLabels": {"app": "online"}, "topologyKey": "zone"}}`: "with.antiAffinity.topologyKey: with move it can only be kubernetes.io/hostname",
		`{"template": "train", "move": true, "nodeSelector": {"disk": "fast"}}`:                                          "with.nodeSelector.disk: with move it can only be kubernetes.io/hostname",
		`{"template": "train", "workflow": "run", "nodeSelector": {"disk": "fast"}}`:                                     "workflow: goes without template",
		`{"move": true, "nodeSelector": {"disk": "fast"}}`:                                                               "move: is for the steps of runs",
		`{"workflow": "run", "antiAffinity": {"matchLabels": {"app": "online"}}}`:                                        "it has started, and its pods stay where they are (phase Running); with move: true",
	} {
		require.ErrorContains(t, refused(t, place, onDeployment("place", ns, "serving", with)), want)
	}
	require.Equal(t, "null", at(t, fetch(t, c, argoVersion, "WorkflowTemplate", ns, "train"), "spec", "affinity"), "nothing was changed")
	argoTakesUp(t, c, ns, "run", "phase: Succeeded")
	require.ErrorContains(t, refused(t, place, onDeployment("place", ns, "serving", `{"workflow": "run", "move": true, "nodeSelector": {"kubernetes.io/hostname": "x"}}`)), "it has ended, Succeeded")
	require.NotContains(t, planOf(t, place, onDeployment("place", ns, "serving", moveAway)).Diff, "run run", "what has ended is no run under way")
}

// Which steps Argo would try again, by its own rules.
func TestWhichStepsWouldBeTriedAgain(t *testing.T) {
	now := time.Date(2026, 1, 1, 1, 0, 0, 0, time.UTC)
	for name, row := range map[string]struct{ spec, retry, more, want string }{
		"always":                    {retry: "{limit: 1, retryPolicy: Always}"},
		"a limit in quotes":         {retry: `{limit: "1", retryPolicy: Always}`},
		"without a limit":           {retry: "{retryPolicy: Always}"},
		"of the whole workflow":     {spec: "retryStrategy: {retryPolicy: Always}"},
		"by default":                {spec: "templateDefaults: {retryStrategy: {retryPolicy: Always}}"},
		"none":                      {want: "it has no retryStrategy"},
		"on failure, as by default": {retry: "{limit: 1}", want: "has the retryPolicy OnFailure"},
		"on error":                  {retry: "{limit: 1, retryPolicy: OnError}", want: "has the retryPolicy OnError"},
		"on a transient error":      {retry: "{limit: 1, retryPolicy: OnTransientError}", want: "has the retryPolicy OnTransientError"},
		"by an expression":          {retry: "{limit: 1, retryPolicy: Always, expression: 'true'}", want: "has an expression"},
		"used up":                   {retry: "{limit: 0, retryPolicy: Always}", want: "no more retries left after 0 of 0"},
		"a limit by a parameter":    {retry: "{limit: '{{workflow.parameters.n}}', retryPolicy: Always}", want: "is no number"},
		"in time":                   {retry: "{retryPolicy: Always, backoff: {duration: 1s, maxDuration: 2h}}"},
		"in time, in seconds":       {retry: "{retryPolicy: Always, backoff: {duration: 1s, maxDuration: '7200'}}"},
		"too late":                  {retry: "{retryPolicy: Always, backoff: {duration: 1s, maxDuration: 59m}}", want: "maxDuration of its retryStrategy, 59m, is over"},
		"of another template":       {retry: "{retryPolicy: Always}", more: "storedTemplates: {namespaced/other/infer: {name: infer, retryStrategy: {limit: 0, retryPolicy: Always}}}"},
	} {
		t.Run(name, func(t *testing.T) {
			retry := row.retry
			if retry != "" {
				retry = "retryStrategy: " + retry + ","
			}
			text := underWay(retry) + row.more
			var status map[string]any
			require.NoError(t, yaml.Unmarshal([]byte(text), &status))
			var spec map[string]any
			require.NoError(t, yaml.Unmarshal([]byte(row.spec), &spec))
			stored := status[storedSpecField].(map[string]any)
			for k, v := range spec {
				stored[k] = v
			}
			for _, packed := range []bool{false, true} {
				if packed {
					pack(t, status)
				}
				run, err := argoRunOf(&unstructured.Unstructured{Object: map[string]any{"status": status}})
				require.NoError(t, err)
				why := run.notRetriedBecause("run-infer-0", now)
				if row.want == "" {
					require.Empty(t, why)
				} else {
					require.Contains(t, why, row.want)
				}
			}
		})
	}
	var status map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(underWay(alwaysRetry)), &status))
	run, err := argoRunOf(&unstructured.Unstructured{Object: map[string]any{"status": status}})
	require.NoError(t, err)
	require.Contains(t, run.notRetriedBecause("run-other", now), "Argo shows no node of its pod yet")
	run.nodes["run-infer-0"]["templateRef"] = map[string]any{"name": "other", "template": "infer"}
	require.Contains(t, run.notRetriedBecause("run-infer-0", now), "its template infer is not in the Workflow")
	delete(status, "nodes")
	status["offloadNodeStatusVersion"] = "fnv:1"
	_, err = argoRunOf(&unstructured.Unstructured{Object: map[string]any{"status": status}})
	require.ErrorContains(t, err, "its nodes are kept in a database by Argo")
	delete(status, "offloadNodeStatusVersion")
	status["compressedNodes"] = "nonsense"
	_, err = argoRunOf(&unstructured.Unstructured{Object: map[string]any{"status": status}})
	require.ErrorContains(t, err, "read its nodes")
}

// pack packs the nodes as Argo does those of a large Workflow.
func pack(t *testing.T, status map[string]any) {
	t.Helper()
	raw, err := json.Marshal(status["nodes"])
	require.NoError(t, err)
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err = w.Write(raw)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	delete(status, "nodes")
	status["compressedNodes"] = base64.StdEncoding.EncodeToString(out.Bytes())
}

func TestTheNeedsOfAMove(t *testing.T) {
	s := Subject{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "ml"}
	lines := func(with map[string]any) (out []string) {
		for _, n := range PlaceNeeds(s, with) {
			out = append(out, n.Group+"/"+n.Resource+" "+strings.Join(n.Verbs, ","))
		}
		return out
	}
	require.Equal(t, []string{"argoproj.io/workflowtemplates get,patch"}, lines(map[string]any{"template": "x"}))
	pods := []string{"/pods list", "/pods/eviction create"}
	require.Equal(t, append([]string{"argoproj.io/workflowtemplates get,patch", "argoproj.io/workflows get,list,patch"}, pods...), lines(map[string]any{"template": "x", "move": true}))
	require.Equal(t, append([]string{"argoproj.io/workflows get,patch"}, pods...), lines(map[string]any{"workflow": "x", "move": true}))
	require.Equal(t, append([]string{"apps/deployments get,patch", "/events list", "argoproj.io/workflowtemplates get,patch", "argoproj.io/workflows get,list,patch"}, pods...), lines(nil))
}

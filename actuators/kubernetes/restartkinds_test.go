package kubernetes

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

const (
	argoRollout = `
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: NAME}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  strategy: {canary: {steps: [{setWeight: 50}, {pause: {}}]}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: "example.com/digits:1", env: [{name: MODEL, value: "1"}]}]}
`
	referringRollout = `
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: NAME}
spec:
  replicas: 2
  strategy: {blueGreen: {activeService: web}}
  workloadRef: {apiVersion: apps/v1, kind: Deployment, name: templates}
`
)

// argo writes a Rollout's status as its controller does; GENERATION is the present one.
func (b *bench) argo(t *testing.T, name, status string) {
	t.Helper()
	o := b.read(t, "argoproj.io/v1alpha1", "Rollout", name)
	status = strings.ReplaceAll(status, "GENERATION", `"`+strconv.FormatInt(o.GetGeneration(), 10)+`"`)
	status = strings.ReplaceAll(status, "RESTARTAT", `"`+fieldpath.Text(o.Object, "spec", "restartAt")+`"`)
	_, err := b.on(t, "argoproj.io/v1alpha1", "Rollout").Patch(testContext(t), name, types.MergePatchType, []byte(`{"status": `+status+`}`), metav1.PatchOptions{FieldManager: "rollouts-controller"}, "status")
	require.NoError(t, err)
}

func TestRestartOfARollout(t *testing.T) {
	b := newBench(t)
	b.admin.InstallCRDs(t, "rollout")
	for _, row := range []struct{ name, text string }{{"own", argoRollout}, {"refers", referringRollout}} {
		t.Run(row.name, func(t *testing.T) {
			// A clock that is wrong by an hour restarts nothing, or waits for an hour.
			for _, off := range []time.Duration{-time.Hour, time.Hour} {
				name := row.name + map[bool]string{true: "-late", false: "-early"}[off < 0]
				cluster := &Cluster{Client: b.Client, View: b.View, Clock: engine.NewManualClock(time.Now().Add(off))}
				b.create(t, "kubectl-create", strings.ReplaceAll(row.text, "NAME", name))
				b.argo(t, name, `{"replicas": 2, "readyReplicas": 2, "observedGeneration": GENERATION, "phase": "Healthy"}`)
				verb, target := restarter{cluster}, engine.Target{APIVersion: "argoproj.io/v1alpha1", Kind: "Rollout", Namespace: b.ns, Name: name}
				began := time.Now().Add(-time.Second)
				change := done(t, verb, proposal("restart", target, nil))
				o := b.read(t, "argoproj.io/v1alpha1", "Rollout", name)
				at, err := time.Parse(time.RFC3339, fieldpath.Text(o.Object, "spec", "restartAt"))
				require.NoError(t, err)
				require.WithinRange(t, at, began, time.Now().Add(time.Second))
				require.Equal(t, "replace every pod that is older than "+at.Format(time.RFC3339)+" (spec.restartAt)", change.Diff)
				_, has := fieldpath.Find(o.Object, "spec", "template", "metadata", "annotations")
				require.False(t, has, "the template stays, so that no canary begins")
				require.True(t, plannedOf(t, verb, proposal("restart", target, nil)).NoOp, "this very change has been made")
				another := proposal("restart", target, nil)
				another.Identity = "another"
				require.False(t, plannedOf(t, verb, another).NoOp)

				for _, step := range []struct {
					status string
					want   engine.Outcome
				}{
					{`{"readyReplicas": 1}`, engine.Outcome{Status: engine.Running, Detail: "pods older than AT are being replaced, 1 of 2 pods ready"}},
					{`{"phase": "Degraded", "message": "ProgressDeadlineExceeded"}`, engine.Outcome{Status: engine.Running, Detail: "pods older than AT are being replaced, 1 of 2 pods ready", Obstacle: "the Rollout is Degraded: ProgressDeadlineExceeded"}},
					{`{"restartedAt": RESTARTAT, "phase": "Progressing"}`, engine.Outcome{Status: engine.Running, Detail: "pods older than AT are being replaced, 1 of 2 pods ready"}},
					{`{"readyReplicas": 2, "phase": "Healthy"}`, engine.Outcome{Status: engine.Done, Detail: "every pod is younger than AT, 2 of 2 pods ready"}},
				} {
					b.argo(t, name, step.status)
					out, err := verify(t, verb, change)
					require.NoError(t, err)
					step.want.Detail = strings.ReplaceAll(step.want.Detail, "AT", at.Format(time.RFC3339))
					require.Equal(t, step.want, out)
				}
				b.merge(t, "kubectl-argo-rollouts", "argoproj.io/v1alpha1", "Rollout", name, `{"spec": {"restartAt": "2030-01-01T00:00:00Z"}}`)
				out, err := verify(t, verb, change)
				require.NoError(t, err)
				require.Equal(t, engine.Failed, out.Status, "somebody else has restarted it since")
			}
		})
	}
}

// A change of the pod template is a rollout with a phase, and is not done before it is Healthy.
func TestPlaceOnARollout(t *testing.T) {
	b := newBench(t)
	b.admin.InstallCRDs(t, "rollout")
	b.create(t, "kubectl-create", strings.ReplaceAll(argoRollout, "NAME", "own"))
	b.create(t, "kubectl-create", strings.ReplaceAll(referringRollout, "NAME", "refers"))
	target := func(name string) engine.Target {
		return engine.Target{APIVersion: "argoproj.io/v1alpha1", Kind: "Rollout", Namespace: b.ns, Name: name}
	}
	with := map[string]any{"nodeSelector": map[string]any{"disk": "fast"}}
	b.argo(t, "own", `{"replicas": 2, "readyReplicas": 2, "updatedReplicas": 2, "observedGeneration": GENERATION, "phase": "Healthy"}`)
	verb := Place(b.Cluster).(engine.Verifier)
	change := done(t, Place(b.Cluster), proposal("place", target("own"), with))
	for _, step := range []struct {
		status string
		want   engine.Outcome
	}{
		{`{}`, engine.Outcome{Status: engine.Running, Detail: "2 of 2 pods new, 2 ready; the Rollout is Healthy"}}, // of the last generation
		{`{"phase": "Paused", "message": "CanaryPauseStep", "updatedReplicas": 1, "observedGeneration": GENERATION}`, engine.Outcome{Status: engine.Running, Detail: "1 of 2 pods new, 2 ready; the Rollout is Paused", Obstacle: "the Rollout is Paused: CanaryPauseStep"}},
		{`{"phase": "Degraded", "message": "RolloutAborted: metric failed", "abort": true}`, engine.Outcome{Status: engine.Failed, Detail: "1 of 2 pods new, 2 ready; the Rollout is Degraded, and was aborted: RolloutAborted: metric failed"}},
		{`{"phase": "Healthy", "message": null, "abort": null, "updatedReplicas": 2}`, engine.Outcome{Status: engine.Done, Detail: "2 of 2 pods new, 2 ready; the Rollout is Healthy"}},
	} {
		b.argo(t, "own", step.status)
		out, err := verb.Verify(testContext(t), change)
		require.NoError(t, err)
		require.Equal(t, step.want, out)
	}

	elsewhere := "the pod template of this Rollout is that of the Deployment " + b.ns + "/templates (spec.workloadRef); select that Deployment as the target"
	_, err := Place(b.Cluster).Plan(testContext(t), proposal("place", target("refers"), with))
	require.ErrorContains(t, err, elsewhere)
	_, err = ModelServe(b.Cluster).Plan(testContext(t), proposal("model.serve", target("refers"), map[string]any{"version": "2", "env": "MODEL"}))
	require.ErrorContains(t, err, elsewhere)
}

func TestRestartSaysWhatToRestartInstead(t *testing.T) {
	b := newBench(t)
	b.admin.InstallCRDs(t, "leaderworkerset", "raycluster", "pytorchjob", "inferenceservice", "seldondeployment", "inferenceset", "workflow", "workflowtemplate", "dynamoscalingadapter")
	template := "template: {metadata: {labels: {app: x}}, spec: {restartPolicy: Never, containers: [{name: c, image: none}]}}"
	for _, row := range []struct{ text, want string }{
		{"{apiVersion: leaderworkerset.x-k8s.io/v1, kind: LeaderWorkerSet, spec: {leaderWorkerTemplate: {workerTemplate: {}}}}", "it has leader and worker templates"},
		{"{apiVersion: ray.io/v1, kind: RayCluster, spec: {headGroupSpec: {}}}", "it has a template for each group"},
		{"{apiVersion: kubeflow.org/v1, kind: PyTorchJob, spec: {pytorchReplicaSpecs: {}}}", "it runs once; start another by the primitive `workflow.run`"},
		{"{apiVersion: serving.kserve.io/v1beta1, kind: InferenceService, spec: {predictor: {}}}", "select the Deployments that KServe makes, by the label serving.kserve.io/inferenceservice"},
		{"{apiVersion: machinelearning.seldon.io/v1, kind: SeldonDeployment, spec: {predictors: []}}", "select the Deployments that Seldon makes"},
		{"{apiVersion: kaito.sh/v1alpha1, kind: InferenceSet, spec: {template: {inference: {preset: {name: phi}}}}}", "an InferenceSet has no pod template at spec.template; select the workloads that it makes"},
		{"{apiVersion: argoproj.io/v1alpha1, kind: Workflow, spec: {}}", "it runs once"},
		{"{apiVersion: argoproj.io/v1alpha1, kind: WorkflowTemplate, spec: {}}", "start a run by the primitive `workflow.run`"},
		{"{apiVersion: nvidia.com/v1alpha1, kind: DynamoGraphDeploymentScalingAdapter, spec: {replicas: 1, dgdRef: {name: g, serviceName: s}}}", "select the workload that Dynamo makes"},
		{"{apiVersion: batch/v1, kind: Job, spec: {suspend: true, " + template + "}}", "a Job runs once, and its pod template can't be changed"},
		{"{apiVersion: batch/v1, kind: CronJob, spec: {schedule: \"0 0 1 1 *\", jobTemplate: {spec: {" + template + "}}}}", "it has no pods between its runs"},
		{"{apiVersion: v1, kind: Pod, spec: {containers: [{name: c, image: none}]}}", "nothing replaces it; select the workload that owns it"},
		{"{apiVersion: apps/v1, kind: ReplicaSet, spec: {replicas: 0, selector: {matchLabels: {app: x}}, " + strings.Replace(template, "restartPolicy: Never, ", "", 1) + "}}", "a ReplicaSet replaces no pod when its template changes; select a Deployment in its place"},
		{"{apiVersion: apps/v1, kind: StatefulSet, spec: {replicas: 0, updateStrategy: {type: OnDelete}, selector: {matchLabels: {app: x}}, " + strings.Replace(template, "restartPolicy: Never, ", "", 1) + "}}", "its pods are replaced when somebody deletes them (spec.updateStrategy.type: OnDelete)"},
		{"{apiVersion: apps/v1, kind: DaemonSet, spec: {updateStrategy: {type: OnDelete}, selector: {matchLabels: {app: x}}, " + strings.Replace(template, "restartPolicy: Never, ", "", 1) + "}}", "its pods are replaced when somebody deletes them"},
		{"{apiVersion: apps/v1, kind: Deployment, spec: {paused: true, replicas: 0, selector: {matchLabels: {app: x}}, " + strings.Replace(template, "restartPolicy: Never, ", "", 1) + "}}", "it is paused (spec.paused), so its pods are not replaced; resume it: kubectl rollout resume deployment"},
	} {
		o := objectOf(t, row.text)
		o.SetName("x")
		raw, err := o.MarshalJSON()
		require.NoError(t, err)
		b.create(t, "kubectl-create", string(raw))
		_, err = Restart(b.Cluster).Plan(testContext(t), proposal("restart", engine.Target{APIVersion: o.GetAPIVersion(), Kind: o.GetKind(), Namespace: b.ns, Name: "x"}, nil))
		require.ErrorContains(t, err, row.want, o.GetKind())
	}
}

package kubernetes

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/engine"
)

// scaleKind is a kind with a scale subresource, and its controller.
type scaleKind struct {
	name, crd, text string
	at              []string // of the replicas
	// The kind's controller writes this status, as JSON, with REPLICAS, READY and GENERATION.
	status string
	// half is the detail while 2 of 3 are ready, whole when all are.
	half, whole string
}

var scaleKinds = []scaleKind{
	{
		name: "Rollout with a template", crd: "rollout",
		text:   "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nspec: {replicas: 1, selector: {matchLabels: {app: x}}, strategy: {canary: {}}, template: {metadata: {labels: {app: x}}}}",
		status: `{"HPAReplicas": REPLICAS, "replicas": REPLICAS, "readyReplicas": READY, "availableReplicas": READY, "observedGeneration": "GENERATION", "selector": "app=x", "phase": "Progressing"}`,
		half:   "2 of 3 ready", whole: "3 of 3 ready",
	},
	{
		name: "Rollout of a workloadRef", crd: "rollout",
		text:   "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nspec: {replicas: 1, workloadRef: {apiVersion: apps/v1, kind: Deployment, name: other}, strategy: {blueGreen: {activeService: x}}}",
		status: `{"HPAReplicas": REPLICAS, "replicas": REPLICAS, "readyReplicas": READY, "observedGeneration": "GENERATION", "workloadObservedGeneration": "1", "selector": "app=x"}`,
		half:   "2 of 3 ready", whole: "3 of 3 ready",
	},
	{
		name: "Rollout before 1.0", crd: "rollout",
		text:   "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nspec: {replicas: 1, selector: {matchLabels: {app: x}}, template: {}}",
		status: `{"HPAReplicas": REPLICAS, "replicas": REPLICAS, "readyReplicas": READY, "observedGeneration": "7d9f5bd76c", "selector": "app=x"}`,
		half:   "2 of 3 ready", whole: "3 of 3 ready",
	},
	{
		name: "LeaderWorkerSet", crd: "leaderworkerset",
		text:   "apiVersion: leaderworkerset.x-k8s.io/v1\nkind: LeaderWorkerSet\nspec: {replicas: 1, leaderWorkerTemplate: {size: 4, workerTemplate: {}}}",
		status: `{"replicas": REPLICAS, "readyReplicas": READY, "observedGeneration": GENERATION, "hpaPodSelector": "app=x"}`,
		half:   "2 of 3 ready", whole: "3 of 3 ready",
	},
	{
		name: "LeaderWorkerSet before 0.7", crd: "leaderworkerset",
		text:   "apiVersion: leaderworkerset.x-k8s.io/v1\nkind: LeaderWorkerSet\nspec: {replicas: 1, leaderWorkerTemplate: {size: 4, workerTemplate: {}}}",
		status: `{"replicas": REPLICAS, "readyReplicas": READY, "hpaPodSelector": "app=x"}`,
		half:   "2 of 3 ready", whole: "3 of 3 ready",
	},
	{
		name: "PyTorchJob", crd: "pytorchjob", at: []string{"spec", "pytorchReplicaSpecs", "Worker", "replicas"},
		text:   "apiVersion: kubeflow.org/v1\nkind: PyTorchJob\nspec: {pytorchReplicaSpecs: {Master: {replicas: 1}, Worker: {replicas: 1}}}",
		status: `{"replicaStatuses": {"Master": {"active": 1}, "Worker": {"active": READY, "selector": "job=x"}}}`,
		half:   "2 of 3 there (status.replicaStatuses.Worker.active; the kind reports no ready ones)", whole: "3 of 3 there (status.replicaStatuses.Worker.active; the kind reports no ready ones)",
	},
	{
		name: "Model of Seldon", crd: "seldonmodel",
		text:   "apiVersion: mlops.seldon.io/v1alpha1\nkind: Model\nspec: {replicas: 1, storageUri: \"gs://m\"}",
		status: `{"replicas": REPLICAS, "availableReplicas": READY, "observedGeneration": GENERATION, "selector": "server=mlserver"}`,
		half:   "2 of 3 ready (status.availableReplicas)", whole: "3 of 3 ready (status.availableReplicas)",
	},
	{
		name: "SeldonDeployment", crd: "seldondeployment",
		text:   "apiVersion: machinelearning.seldon.io/v1\nkind: SeldonDeployment\nspec: {replicas: 1, predictors: [{name: p, graph: {name: m}}]}",
		status: `{"state": "Available", "replicas": READY}`,
		half:   "2 of 3 there (status.replicas; the kind reports no ready ones)", whole: "3 of 3 there (status.replicas; the kind reports no ready ones)",
	},
	{
		name: "Model of KubeAI", crd: "kubeaimodel",
		text:   "apiVersion: kubeai.org/v1\nkind: Model\nspec: {replicas: 1, url: \"hf://m\", features: [TextGeneration]}",
		status: `{"replicas": {"all": REPLICAS, "ready": READY}}`,
		half:   "2 of 3 ready (status.replicas.ready)", whole: "3 of 3 ready (status.replicas.ready)",
	},
	{
		name: "InferenceSet", crd: "inferenceset",
		text:   "apiVersion: kaito.sh/v1alpha1\nkind: InferenceSet\nspec: {replicas: 1}",
		status: `{"replicas": REPLICAS, "readyReplicas": READY, "selector": "inferenceset=x"}`,
		half:   "2 of 3 ready", whole: "3 of 3 ready",
	},
	{
		name: "scaling adapter of Dynamo", crd: "dynamoscalingadapter",
		text:   "apiVersion: nvidia.com/v1alpha1\nkind: DynamoGraphDeploymentScalingAdapter\nspec: {replicas: 1, dgdRef: {name: g, serviceName: decode}}",
		status: `{"replicas": READY, "selector": "dynamo=x"}`,
		half:   "2 of 3 there (status.replicas; the kind reports no ready ones)", whole: "3 of 3 there (status.replicas; the kind reports no ready ones)",
	},
	{
		name: "kind without a status subresource", crd: "",
		text:   "apiVersion: plain.example.com/v1\nkind: Gang\nspec: {members: 1}",
		at:     []string{"spec", "members"},
		status: `{"members": READY, "readyReplicas": 77, "observedGeneration": GENERATION}`,
		half:   "2 of 3 there (status.members; the kind reports no ready ones)", whole: "3 of 3 there (status.members; the kind reports no ready ones)",
	},
	{
		name: "kind that counts by its ready ones", crd: "",
		text:   "apiVersion: plain.example.com/v1\nkind: Herd\nspec: {size: 1}",
		at:     []string{"spec", "size"},
		status: `{"readyNodes": READY}`,
		half:   "2 of 3 ready (status.readyNodes)", whole: "3 of 3 ready (status.readyNodes)",
	},
}

// plainKinds are kinds of a platform team, with less of a status than the ecosystem's.
const plainKinds = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gangs.plain.example.com}
spec:
  group: plain.example.com
  scope: Namespaced
  names: {kind: Gang, plural: gangs, singular: gang, listKind: GangList}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {scale: {specReplicasPath: .spec.members, statusReplicasPath: .status.members}}
    schema:
      openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: herds.plain.example.com}
spec:
  group: plain.example.com
  scope: Namespaced
  names: {kind: Herd, plural: herds, singular: herd, listKind: HerdList}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}, scale: {specReplicasPath: .spec.size, statusReplicasPath: .status.readyNodes}}
    schema:
      openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}
`

// control writes the status as the kind's controller does.
func (k scaleKind) control(t *testing.T, b *bench, apiVersion, kind, name string, replicas, ready int64) {
	t.Helper()
	o := b.read(t, apiVersion, kind, name)
	status := strings.NewReplacer("REPLICAS", fmt.Sprint(replicas), "READY", fmt.Sprint(ready), "GENERATION", fmt.Sprint(o.GetGeneration())).Replace(k.status)
	var subresources []string
	if kind != "Gang" {
		subresources = []string{"status"}
	}
	_, err := b.on(t, apiVersion, kind).Patch(testContext(t), name, types.MergePatchType, []byte(`{"status": `+status+`}`), metav1.PatchOptions{FieldManager: "its-controller"}, subresources...)
	require.NoError(t, err)
}

// seen waits until the View has the object as it is, and returns the target.
func (b *bench) seen(t *testing.T, apiVersion, kind, name string) engine.Target {
	t.Helper()
	f, err := b.View.Fleet(engine.Selector{APIVersion: apiVersion, Kind: kind, Namespace: b.ns})
	require.NoError(t, err)
	var found engine.Target
	soon(t, name+" is seen", func() bool {
		for _, target := range targetsOf(t, f) {
			if target.Name == name {
				found = target
				s, scalable := b.View.Scalable(target.ID())
				return !scalable || s.ResourceVersion == b.read(t, apiVersion, kind, name).GetResourceVersion()
			}
		}
		return false
	})
	return found
}

func TestScaleIsDoneByWhatTheKindReports(t *testing.T) {
	admin := newBench(t)
	crds := map[string]bool{}
	for _, k := range scaleKinds {
		if k.crd != "" && !crds[k.crd] {
			admin.admin.InstallCRDs(t, k.crd)
			crds[k.crd] = true
		}
	}
	admin.admin.Apply(t, plainKinds)
	for _, k := range scaleKinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			o := objectOf(t, k.text+"\nmetadata: {name: x}\n")
			version, kind := o.GetAPIVersion(), o.GetKind()
			soon(t, "the kind is served", func() bool { _, err := b.Client.Kinds.Find(version, kind); return err == nil })
			b.create(t, "kubectl-create", k.text+"\nmetadata: {name: x}\n")
			k.control(t, b, version, kind, "x", 1, 1)
			target := b.seen(t, version, kind, "x")
			require.Equal(t, &engine.Replicas{Desired: 1, Ready: target.Replicas.Ready}, target.Replicas)

			s := scaler{b.Cluster}
			change := done(t, s, proposal("scale", target, to(3)))
			require.Contains(t, change.Diff, "replicas 1 -> 3")
			at := k.at
			if at == nil {
				at = []string{"spec", "replicas"}
			}
			n, _, err := unstructured.NestedInt64(b.read(t, version, kind, "x").Object, at...)
			require.NoError(t, err)
			require.Equal(t, int64(3), n)

			verify := func() engine.Outcome {
				b.seen(t, version, kind, "x")
				out, err := verify(t, s, change)
				require.NoError(t, err)
				return out
			}
			require.Equal(t, engine.Running, verify().Status, "the controller has not acted")
			k.control(t, b, version, kind, "x", 3, 2)
			require.Equal(t, engine.Outcome{Status: engine.Running, Detail: k.half}, verify())
			k.control(t, b, version, kind, "x", 3, 3)
			require.Equal(t, engine.Outcome{Status: engine.Done, Detail: k.whole}, verify())
			require.True(t, plannedOf(t, s, again(proposal("scale", b.seen(t, version, kind, "x"), to(3)))).NoOp)

			// To nothing: controllers in Go leave a zero out of the status.
			down := done(t, s, again(proposal("scale", b.seen(t, version, kind, "x"), to(0))))
			k.control(t, b, version, kind, "x", 0, 0)
			change = down
			require.Equal(t, engine.Done, verify().Status)
		})
	}
}

// A Rollout without spec.replicas has one: its controller's default, which the scale
// subresource does not show.
func TestScaleOfAnObjectThatLeavesItsReplicasOut(t *testing.T) {
	b := newBench(t)
	b.admin.InstallCRDs(t, "rollout")
	k := scaleKinds[0]
	b.create(t, "kubectl-create", strings.Replace(k.text, "replicas: 1, ", "", 1)+"\nmetadata: {name: x}\n")
	const version, kind = "argoproj.io/v1alpha1", "Rollout"
	s := scaler{b.Cluster}
	change := plannedOf(t, s, proposal("scale", b.seen(t, version, kind, "x"), to(0)))
	require.False(t, change.NoOp, "nobody has reported that there are none")
	k.control(t, b, version, kind, "x", 1, 1)
	target := b.seen(t, version, kind, "x")
	require.Equal(t, 1, target.Replicas.Desired)
	require.True(t, plannedOf(t, s, proposal("scale", target, to(1))).NoOp)
	change = plannedOf(t, s, proposal("scale", target, to(0)))
	require.Equal(t, "replicas unset (1 there) -> 0", change.Diff)
	k.control(t, b, version, kind, "x", 1, 1) // a write between plan and act
	b.merge(t, "kubectl", version, kind, "x", `{"metadata": {"annotations": {"moved": "on"}}}`)
	_, err := s.Apply(testContext(t), change)
	require.NoError(t, err)
	k.control(t, b, version, kind, "x", 0, 0)
	b.seen(t, version, kind, "x")
	out, err := verify(t, s, change)
	require.NoError(t, err)
	require.Equal(t, engine.Outcome{Status: engine.Done, Detail: "0 of 0 ready"}, out)
}

func TestScaleOfAKindThatHasNone(t *testing.T) {
	b := newBench(t)
	b.admin.InstallCRDs(t, "raycluster")
	b.create(t, "kubectl-create", "apiVersion: ray.io/v1\nkind: RayCluster\nmetadata: {name: r}\nspec: {headGroupSpec: {}, workerGroupSpecs: [{groupName: g, replicas: 1, template: {}}]}\n")
	target := b.seen(t, "ray.io/v1", "RayCluster", "r")
	_, err := Scale(b.Cluster).Plan(testContext(t), proposal("scale", target, to(3)))
	require.EqualError(t, err, "scale RayCluster "+b.ns+"/r: a RayCluster of ray.io/v1 has no scale subresource, so it has no replicas to set; use the primitive `apply` for its own fields, or select the objects that it makes")
	target.Name = "gone"
	_, err = Scale(b.Cluster).Plan(testContext(t), proposal("scale", target, to(3)))
	require.EqualError(t, err, "scale RayCluster "+b.ns+"/gone: there is no such object any more")
}

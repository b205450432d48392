package testcluster

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

var podResource = schema.GroupVersionResource{Version: "v1", Resource: "pods"}

// workloads returns the YAML of a number of Deployments.
func workloads(namespace, selector string, deployments, replicas int) string {
	var out strings.Builder
	for i := range deployments {
		_, _ = fmt.Fprintf(&out, `---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web-%d, namespace: %s}
spec:
  replicas: %d
  selector: {matchLabels: {app: web-%d}}
  template: {metadata: {labels: {app: web-%d}}, spec: {nodeSelector: {%s}, containers: [{name: c, image: none}]}}
`, i, namespace, replicas, i, i, selector)
	}
	return out.String()
}

func count(t *testing.T, c *Cluster, namespace string, want func(*unstructured.Unstructured) bool) int {
	t.Helper()
	list, err := c.Client().Dynamic.Resource(podResource).Namespace(namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	n := 0
	for i := range list.Items {
		if want(&list.Items[i]) {
			n++
		}
	}
	return n
}

func podReady(p *unstructured.Unstructured) bool {
	if phase, _, _ := unstructured.NestedString(p.Object, "status", "phase"); phase != "Running" {
		return false // kwok leaves a succeeded pod's condition as it was
	}
	conditions, _, _ := unstructured.NestedSlice(p.Object, "status", "conditions")
	for _, raw := range conditions {
		if condition, ok := raw.(map[string]any); ok && condition["type"] == "Ready" {
			return condition["status"] == "True"
		}
	}
	return false
}

// Pods on kwok nodes become Ready without running, those of Jobs succeed, and all of them
// can be deleted. kwok ignores other nodes.
func TestKwokNodes(t *testing.T) {
	c := Shared(t)
	c.KwokNodes(t, 2)
	ns := c.Namespace(t)
	c.Apply(t, "apiVersion: v1\nkind: Node\nmetadata: {name: other}\n")
	t.Cleanup(func() {
		require.NoError(t, c.Client().Dynamic.Resource(nodes).Delete(context.Background(), "other", metav1.DeleteOptions{}))
	})
	const deployments, replicas = 20, 4
	text := workloads(ns, nodeLabel+": kwok", deployments, replicas)
	began := time.Now()
	c.Apply(t, text)
	require.Eventually(t, func() bool { return count(t, c, ns, podReady) == deployments*replicas }, waitTimeout, 20*time.Millisecond)
	t.Logf("%d Deployments with %d pods each ready after %s", deployments, replicas, time.Since(began).Round(time.Millisecond))

	c.Apply(t, fmt.Sprintf(`
apiVersion: batch/v1
kind: Job
metadata: {name: job, namespace: %s}
spec: {template: {spec: {restartPolicy: Never, nodeSelector: {%s: kwok}, containers: [{name: c, image: none}]}}}
`, ns, nodeLabel))
	jobs := c.Client().Dynamic.Resource(schema.GroupVersionResource{Group: "batch", Version: "v1", Resource: "jobs"}).Namespace(ns)
	require.Eventually(t, func() bool {
		job, err := jobs.Get(t.Context(), "job", getOptions)
		require.NoError(t, err)
		done, _, _ := unstructured.NestedInt64(job.Object, "status", "succeeded")
		return done == 1
	}, waitTimeout, 20*time.Millisecond)

	c.Apply(t, strings.ReplaceAll(text, fmt.Sprintf("replicas: %d", replicas), "replicas: 0"))
	require.Eventually(t, func() bool { return count(t, c, ns, podReady) == 0 }, waitTimeout, 20*time.Millisecond)

	other, err := c.Client().Dynamic.Resource(nodes).Get(t.Context(), "other", getOptions)
	require.NoError(t, err)
	conditions, _, _ := unstructured.NestedSlice(other.Object, "status", "conditions")
	for _, condition := range conditions { // set by the control plane, for a node that never reported
		require.Equal(t, "NodeStatusNeverUpdated", condition.(map[string]any)["reason"], "%v", condition)
	}
}

// The CRDs in testdata/crds are served, and preserve the fields that Scanflow writes.
func TestCRDsOfOtherProjects(t *testing.T) {
	c := New(t)
	c.InstallCRDs(t, "workflow", "workflowtemplate", "scaledobject", "virtualservice", "httproute", "inferenceservice", "seldondeployment")
	for _, text := range []string{`
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: a}
spec: {workflowTemplateRef: {name: retrain}, arguments: {parameters: [{name: epochs, value: "3"}]}}
status: {phase: Running, progress: 1/3}`, `
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: a}
spec: {entrypoint: main, templates: [{name: main, container: {image: none}}]}`, `
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: a}
spec: {scaleTargetRef: {name: web}, minReplicaCount: 1, maxReplicaCount: 9, triggers: [{type: prometheus, metadata: {query: up, threshold: "5"}}]}`, `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a}
spec: {hosts: [web], http: [{route: [{destination: {host: web, subset: v1}, weight: 90}, {destination: {host: web, subset: v2}, weight: 10}]}]}`, `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: a}
spec: {parentRefs: [{name: gate}], rules: [{backendRefs: [{name: v1, port: 80, weight: 90, group: "", kind: Service}]}]}`, `
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {name: a}
spec: {predictor: {canaryTrafficPercent: 10, model: {modelFormat: {name: sklearn}, storageUri: "s3://models/2"}}}`, `
apiVersion: machinelearning.seldon.io/v1
kind: SeldonDeployment
metadata: {name: a}
spec: {replicas: 2, predictors: [{name: main, replicas: 2, traffic: 100, graph: {name: m, implementation: SKLEARN_SERVER, modelUri: "s3://models/2"}}]}`} {
		got := c.Apply(t, text)[0]
		want := map[string]any{}
		require.NoError(t, yaml.Unmarshal([]byte(text), &want))
		require.Equal(t, want["spec"], normal(t, got.Object["spec"]), got.GetKind())
		require.Equal(t, want["status"], normal(t, got.Object["status"]), got.GetKind())
	}
	for name, text := range map[string]string{
		"a ScaledObject without triggers":  "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: b}\nspec: {scaleTargetRef: {name: web}}",
		"a weight that is text":            "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: b}\nspec: {http: [{route: [{destination: {host: w}, weight: all}]}]}",
		"a weight out of bounds":           "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: b}\nspec: {rules: [{backendRefs: [{name: w, weight: -1}]}]}",
		"a predictor without a graph":      "apiVersion: machinelearning.seldon.io/v1\nkind: SeldonDeployment\nmetadata: {name: b}\nspec: {predictors: [{name: p}]}",
		"an InferenceService of no model":  "apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata: {name: b}\nspec: {}",
		"a Workflow without specification": "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: b}",
	} {
		_, err := c.ApplyAs(t.Context(), "test", text)
		require.Error(t, err, name)
	}
}

// normal converts a value's numbers to those of YAML.
func normal(t *testing.T, v any) any {
	t.Helper()
	raw, err := yaml.Marshal(v)
	require.NoError(t, err)
	var out any
	require.NoError(t, yaml.Unmarshal(raw, &out))
	return out
}

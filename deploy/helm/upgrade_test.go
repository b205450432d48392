package helm_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

var ledgerResource = schema.GroupVersionResource{Group: "scanflow.dev", Version: "v1alpha1", Resource: "ledgers"}

// oldValues are for the chart of commit 0e08181.
const oldValues = `
watchNamespace: sample
install: scanflow
token: {secretName: api}
policies:
  files:
    calls.rego: |
      package scanflow.strategies.sample.calls

      propose contains {"primitive": "webhook", "with": {"url": input.params.url, "body": {"text": "sample"}}, "reason": "asked", "because": []} if {
        input.trigger.event.type == "sample.asked"
      }
    sends.rego: |
      package scanflow.strategies.sample.sends

      propose contains {"primitive": "event.send", "with": {"type": "sample.sent"}, "reason": "asked", "because": []} if {
        input.trigger.event.type == "sample.asked"
      }
    size.rego: |
      package scanflow.strategies.sample.size

      propose contains {"primitive": "scale", "with": {"replicas": input.params.replicas}, "reason": "size", "because": []} if {
        input.target.replicas.desired != input.params.replicas
      }
rbac:
  roles:
    - namespace: sample
      rules:
        - {apiGroups: [""], resources: [events], verbs: [create]}
        - {apiGroups: [""], resources: [pods], verbs: [list, watch]}
        - {apiGroups: [apps], resources: [deployments], verbs: [list, watch]}
        - {apiGroups: [apps], resources: [deployments/scale], verbs: [get, patch]}
        - {apiGroups: [autoscaling], resources: [horizontalpodautoscalers], verbs: [get, list, watch]}
        - {apiGroups: [keda.sh], resources: [scaledobjects], verbs: [get, list, watch]}
        - {apiGroups: [scanflow.dev], resources: [agents], verbs: [list, watch]}
        - {apiGroups: [scanflow.dev], resources: [agents/status], verbs: [patch]}
`

// restore creates the objects of a printed list, with their status.
func restore(t *testing.T, c *testcluster.Cluster, resource schema.GroupVersionResource, namespace, file string) {
	t.Helper()
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	var list unstructured.UnstructuredList
	require.NoError(t, yaml.Unmarshal(raw, &list))
	require.NotEmpty(t, list.Items)
	api := c.Client().Dynamic.Resource(resource).Namespace(namespace)
	for _, o := range list.Items {
		o.SetNamespace(namespace)
		o.SetResourceVersion("")
		o.SetUID("")
		created, err := api.Create(t.Context(), &o, metav1.CreateOptions{})
		require.NoError(t, err)
		if o.Object["status"] == nil {
			continue
		}
		created.Object["status"] = o.Object["status"]
		_, err = api.UpdateStatus(t.Context(), created, metav1.UpdateOptions{FieldManager: "scanflow"})
		require.NoError(t, err)
	}
}

// kubectlApplied leaves the definitions as `kubectl apply -f deploy/crds` does, which the old
// chart's page asked for after an upgrade: another owner of fields than Helm.
func kubectlApplied(t *testing.T, c *testcluster.Cluster) {
	t.Helper()
	api := c.Client().Dynamic.Resource(crdResource)
	for _, name := range ownDefinitions {
		o := get(t, c, crdResource, "", name)
		versions, _, err := unstructured.NestedSlice(o.Object, "spec", "versions")
		require.NoError(t, err)
		version := versions[0].(map[string]any)
		require.NoError(t, unstructured.SetNestedField(version, "before the upgrade", "schema", "openAPIV3Schema", "description"))
		require.NoError(t, unstructured.SetNestedSlice(o.Object, versions, "spec", "versions"))
		_, err = api.Update(t.Context(), o, metav1.UpdateOptions{FieldManager: "kubectl-client-side-apply"})
		require.NoError(t, err)
	}
}

// A release of the chart that had its definitions in crds/ is upgraded by the documented
// command: the definitions become the release's and are the new ones, agents keep their
// status, and the new process continues the acts, events and approvals of the old one.
func TestUpgradeFromTheChartThatDidNotUpgradeDefinitions(t *testing.T) {
	c := emptied(t)
	namespace := c.Namespace(t)
	c.Apply(t, "{apiVersion: v1, kind: Namespace, metadata: {name: sample}}")
	t.Cleanup(func() {
		_ = c.Client().Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}).Delete(context.Background(), "sample", metav1.DeleteOptions{})
	})
	file := filepath.Join(t.TempDir(), "values.yaml")
	require.NoError(t, os.WriteFile(file, []byte(oldValues), 0o600))
	c.Apply(t, fmt.Sprintf("{apiVersion: v1, kind: Secret, metadata: {name: api, namespace: %s}, stringData: {token: word}}", namespace))
	run := func(args ...string) (string, error) {
		_, said, err := helmIn(t, c.Kubeconfig(), append(args, "-n", namespace)...)
		return said, err
	}
	said, err := run("install", "scanflow", filepath.Join("testdata", "upgrade", "chart-0e08181.tgz"), "-f", file)
	require.NoError(t, err, said)
	kubectlApplied(t, c)
	restore(t, c, agentResource, "sample", filepath.Join("testdata", "upgrade", "agents-0e08181.yaml"))
	restore(t, c, ledgerResource, namespace, filepath.Join("..", "..", "engine", "kubernetes", "ledger", "testdata", "upgrade", "0e08181.yaml"))

	said, err = run("upgrade", "scanflow", "scanflow", "--reuse-values")
	require.Error(t, err)
	require.Contains(t, said, "If --reuse-values was given, the values lack the defaults of this chart: give --reset-then-reuse-values in its place")
	said, err = run("upgrade", "scanflow", "scanflow", "--reset-then-reuse-values")
	require.Error(t, err)
	require.Contains(t, said, "invalid ownership metadata")
	said, err = run("upgrade", "scanflow", "scanflow", "--reset-then-reuse-values", "--take-ownership", "--force-conflicts")
	require.NoError(t, err, said)
	said, err = run("upgrade", "scanflow", "scanflow", "--reset-then-reuse-values")
	require.NoError(t, err, said)

	for _, o := range objects(t, render(t, namespace))["CustomResourceDefinition"] {
		got := get(t, c, crdResource, "", o.GetName())
		require.Equal(t, "scanflow", got.GetAnnotations()["meta.helm.sh/release-name"])
		require.Equal(t, "keep", got.GetAnnotations()["helm.sh/resource-policy"])
		require.Equal(t, schemaOf(t, o), schemaOf(t, got))
	}
	broken := get(t, c, agentResource, "sample", "broken")
	require.Contains(t, broken.Object["status"], "lastGood")

	r := startRelease(t, c, namespace, installedPod(t, c, namespace, "scanflow"))
	r.ready(t)
	require.EventuallyWithT(t, func(a *assert.CollectT) { // it leads after a while
		status, body := r.ask(t, http.MethodGet, "/v1/approvals", "word", "")
		require.Equal(a, http.StatusOK, status)
		require.Contains(a, body, `"waiting"`)
		require.Contains(a, body, "sample/asker")
		status, body = r.ask(t, http.MethodGet, "/v1/events", "word", "")
		require.Equal(a, http.StatusOK, status)
		require.Contains(a, body, "sample/waiter")
	}, 60*time.Second, 100*time.Millisecond, "what waited is lost")
	conditions := func(name string) map[string]string {
		out := map[string]string{}
		list, _, err := unstructured.NestedSlice(get(t, c, agentResource, "sample", name).Object, "status", "conditions")
		require.NoError(t, err)
		for _, raw := range list {
			condition := raw.(map[string]any)
			out[condition["type"].(string)] = condition["status"].(string)
		}
		return out
	}
	require.Equal(t, "False", conditions("broken")["Accepted"])
	require.Equal(t, "True", conditions("keeper")["Accepted"])

	// The agent goes on, with the rights of the new release.
	c.Apply(t, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: sample, labels: {app: web}}
spec:
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: none}]}}
`)
	require.EventuallyWithT(t, func(a *assert.CollectT) {
		o, err := c.Client().Dynamic.Resource(deploymentResource).Namespace("sample").Get(context.Background(), "web", metav1.GetOptions{})
		require.NoError(a, err)
		replicas, _, _ := unstructured.NestedInt64(o.Object, "spec", "replicas")
		require.Equal(a, int64(4), replicas)
	}, 60*time.Second, 100*time.Millisecond, "the agent does nothing")
}

// The other ways from that chart that the README has: Helm 3, which applies as a client does
// (--server-side=false), with --take-ownership and, where it lacks that, with labels.
func TestUpgradeAsHelm3(t *testing.T) {
	for name, c := range map[string]struct {
		labelled   bool
		args, then []string
	}{
		"taking ownership": {false, []string{"--take-ownership"}, []string{"rollback", "scanflow", "1", "--server-side=false"}},
		"labelled before": {true, nil, []string{
			"upgrade", "scanflow", "scanflow", "--server-side=false", "--reset-then-reuse-values", "--set", "crds.install=false",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := emptied(t)
			namespace := cluster.Namespace(t)
			run := func(args ...string) {
				_, said, err := helmIn(t, cluster.Kubeconfig(), append(args, "-n", namespace)...)
				require.NoError(t, err, said)
			}
			run("install", "scanflow", filepath.Join("testdata", "upgrade", "chart-0e08181.tgz"), "--server-side=false", "--set-json", `rbac.roles=[]`)
			kubectlApplied(t, cluster)
			for _, crd := range ownDefinitions {
				if c.labelled {
					cluster.Patch(t, crdResource, "", crd, fmt.Sprintf(`{"metadata": {"labels": {"app.kubernetes.io/managed-by": "Helm"},
						"annotations": {"meta.helm.sh/release-name": "scanflow", "meta.helm.sh/release-namespace": %q}}}`, namespace))
				}
			}
			run(append([]string{"upgrade", "scanflow", "scanflow", "--server-side=false", "--reset-then-reuse-values"}, c.args...)...)
			for _, o := range objects(t, render(t, namespace))["CustomResourceDefinition"] {
				got := get(t, cluster, crdResource, "", o.GetName())
				require.Equal(t, "keep", got.GetAnnotations()["helm.sh/resource-policy"])
				require.Equal(t, schemaOf(t, o), schemaOf(t, got))
			}
			run(c.then...) // which does not take them away
			for _, crd := range ownDefinitions {
				get(t, cluster, crdResource, "", crd)
			}
		})
	}
}

// schemaOf is the schema of the first version of a definition.
func schemaOf(t *testing.T, crd *unstructured.Unstructured) any {
	t.Helper()
	versions, _, err := unstructured.NestedSlice(crd.Object, "spec", "versions")
	require.NoError(t, err)
	text, err := yaml.Marshal(versions[0].(map[string]any)["schema"])
	require.NoError(t, err)
	var out any
	require.NoError(t, yaml.Unmarshal(text, &out))
	return out
}

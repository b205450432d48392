// Package helm_test renders the chart by helm's own command, and has a real API
// server judge what comes out.
package helm_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

var update = flag.Bool("update", false, "write the chart's generated files anew")

func TestMain(m *testing.M) { testcluster.Main(m) }

// helmBinary is the command that .ci/tools/go.mod pins.
var helmBinary = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "tool", "-modfile="+filepath.Join("..", "..", ".ci", "tools", "go.mod"), "-n", "helm").Output()
	return strings.TrimSpace(string(out)), err
})

func helm(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	return helmIn(t, "", args...)
}

// helmIn runs helm with a cluster.
func helmIn(t *testing.T, kubeconfig string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	binary, err := helmBinary()
	require.NoError(t, err)
	c := exec.CommandContext(t.Context(), binary, args...)
	home := t.TempDir()
	c.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home, "KUBECONFIG="+kubeconfig)
	var out, said bytes.Buffer
	c.Stdout, c.Stderr = &out, &said
	err = c.Run()
	return out.String(), said.String(), err
}

func render(t *testing.T, namespace string, args ...string) string {
	t.Helper()
	out, said, err := helm(t, append([]string{"template", "test", "scanflow", "--namespace", namespace}, args...)...)
	require.NoError(t, err, said)
	return out
}

func files(t *testing.T, folder string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join("testdata", folder, "*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, found)
	return found
}

// objects are those of a YAML text, by kind.
func objects(t *testing.T, text string) map[string][]*unstructured.Unstructured {
	t.Helper()
	out := map[string][]*unstructured.Unstructured{}
	for decoder := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096); ; {
		o := &unstructured.Unstructured{}
		err := decoder.Decode(&o.Object)
		if errors.Is(err, io.EOF) {
			return out
		}
		require.NoError(t, err)
		if len(o.Object) > 0 {
			out[o.GetKind()] = append(out[o.GetKind()], o)
		}
	}
}

func TestLint(t *testing.T) {
	for _, file := range files(t, "values") {
		out, said, err := helm(t, "lint", "--strict", "scanflow", "-f", file)
		require.NoError(t, err, "%s: %s%s", file, out, said)
	}
}

// The chart's version is the newest one that the changelog has.
func TestTheVersionIsTheProjects(t *testing.T) {
	changelog, err := os.ReadFile(filepath.Join("..", "..", "CHANGELOG.md"))
	require.NoError(t, err)
	want := "0.0.0-unreleased"
	if m := regexp.MustCompile(`(?m)^## v?(\d+\.\d+\.\d+\S*)`).FindStringSubmatch(string(changelog)); m != nil {
		want = m[1]
	}
	raw, err := os.ReadFile(filepath.Join("scanflow", "Chart.yaml"))
	require.NoError(t, err)
	var chart struct{ Version, AppVersion string }
	require.NoError(t, yaml.Unmarshal(raw, &chart))
	require.Equal(t, want, chart.Version)
	require.Equal(t, want, chart.AppVersion)
}

// leaves adds the paths of all values that are no mapping, or an empty one.
func leaves(path string, value any, into map[string]bool) {
	if m, is := value.(map[string]any); is && len(m) > 0 {
		for key, v := range m {
			leaves(strings.TrimPrefix(path+"."+key, "."), v, into)
		}
		return
	}
	into[path] = true
}

// README.md names every value to the last part of its path, and none that there isn't.
func TestTheReadmeNamesEveryValue(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("scanflow", "README.md"))
	require.NoError(t, err)
	raw, err := os.ReadFile(filepath.Join("scanflow", "values.yaml"))
	require.NoError(t, err)
	var values map[string]any
	require.NoError(t, yaml.Unmarshal(raw, &values))
	there := map[string]bool{}
	leaves("", values, there)
	covers := func(name, path string) bool { return name == path || strings.HasPrefix(path, name+".") }
	_, table, found := strings.Cut(string(readme), "| value |")
	require.True(t, found)
	var names []string
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) < 2 {
			continue
		}
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[1], -1) {
			name := m[1]
			if strings.HasPrefix(name, ".") { // beside the one before it
				last := names[len(names)-1]
				name = last[:strings.LastIndex(last, ".")] + name
			}
			require.True(t, slices.ContainsFunc(slices.Collect(maps.Keys(there)), func(path string) bool { return covers(name, path) }), "the README's %s is no value", name)
			names = append(names, name)
		}
	}
	for path := range there {
		require.True(t, slices.ContainsFunc(names, func(name string) bool { return covers(name, path) }), "the README does not name %s", path)
	}
}

// The schema refuses each mistake, and says where it is.
func TestBadValues(t *testing.T) {
	for _, file := range files(t, "bad") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			require.NoError(t, err)
			want, _, _ := strings.Cut(strings.TrimPrefix(string(raw), "# want: "), "\n")
			_, said, err := helm(t, "template", "test", "scanflow", "-f", file)
			require.Error(t, err)
			require.Contains(t, said, want)
		})
	}
}

// restricted makes a namespace that takes pods of the strictest standard alone.
func restricted(t *testing.T, c *testcluster.Cluster) string {
	t.Helper()
	namespace := c.Namespace(t)
	c.Apply(t, fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s, labels: {pod-security.kubernetes.io/enforce: restricted}}}", namespace))
	return namespace
}

// With any values, the real API server accepts every object, and the workload gets its pods in a
// namespace of the restricted pod security standard.
func TestTheAPIServerTakesIt(t *testing.T) {
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "agents", "ledgers", "servicemonitor", "prometheusrule")
	c.Apply(t, "{apiVersion: v1, kind: Namespace, metadata: {name: digits}}")
	for _, file := range files(t, "values") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			namespace := restricted(t, c)
			if filepath.Base(file) == "least.yaml" {
				c.Apply(t, fmt.Sprintf("{apiVersion: v1, kind: ServiceAccount, metadata: {name: existing, namespace: %s}}", namespace))
			}
			text := render(t, namespace, "-f", file, "--skip-tests")
			c.Apply(t, text)
			all := objects(t, text)
			workload := append(all["Deployment"], all["StatefulSet"]...)
			require.Len(t, workload, 1)
			replicas, _, err := unstructured.NestedNumberAsFloat64(workload[0].Object, "spec", "replicas")
			require.NoError(t, err)
			require.Len(t, pods(t, c, namespace, int(replicas)), int(replicas))
		})
	}
}

// pods waits until the namespace has so many.
func pods(t *testing.T, c *testcluster.Cluster, namespace string, want int) []unstructured.Unstructured {
	t.Helper()
	api := c.Client().Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "pods"}).Namespace(namespace)
	var list *unstructured.UnstructuredList
	require.Eventually(t, func() bool {
		var err error
		list, err = api.List(context.Background(), metav1.ListOptions{})
		return err == nil && len(list.Items) >= want
	}, 20*time.Second, 50*time.Millisecond)
	return list.Items
}

// The standard is really held against the pods: without one line of the security
// context the API server refuses them.
func TestTheStandardIsHeldAgainstThePod(t *testing.T) {
	c := testcluster.Shared(t)
	namespace := restricted(t, c)
	template, found, err := unstructured.NestedMap(objects(t, render(t, namespace))["Deployment"][0].Object, "spec", "template")
	require.NoError(t, err)
	require.True(t, found)
	pod := func(name string) *unstructured.Unstructured {
		o := &unstructured.Unstructured{Object: (&unstructured.Unstructured{Object: template}).DeepCopy().Object}
		o.SetAPIVersion("v1")
		o.SetKind("Pod")
		o.SetName(name)
		require.NoError(t, unstructured.SetNestedField(o.Object, "default", "spec", "serviceAccountName"))
		return o
	}
	api := c.Client().Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "pods"}).Namespace(namespace)
	require.Eventually(t, func() bool { // its default service account comes a moment after a namespace
		_, err = api.Create(t.Context(), pod("good"), metav1.CreateOptions{})
		return err == nil
	}, 10*time.Second, 50*time.Millisecond)
	bad := pod("bad")
	containers, _, err := unstructured.NestedSlice(bad.Object, "spec", "containers")
	require.NoError(t, err)
	unstructured.RemoveNestedField(containers[0].(map[string]any), "securityContext", "capabilities")
	require.NoError(t, unstructured.SetNestedSlice(bad.Object, containers, "spec", "containers"))
	_, err = api.Create(t.Context(), bad, metav1.CreateOptions{})
	require.ErrorContains(t, err, "violates PodSecurity")
}

// Each pod of a StatefulSet knows which part it is from its own label.
func TestShards(t *testing.T) {
	c := testcluster.Shared(t)
	namespace := restricted(t, c)
	text := render(t, namespace, "--skip-tests", "-f", filepath.Join("testdata", "values", "shards.yaml"))
	require.Contains(t, text, "- --shard=$(SHARD)/3")
	require.Contains(t, text, "- --shard-by=label=team")
	require.NotContains(t, text, "kind: Deployment")
	c.Apply(t, text)
	seen := map[string]bool{}
	for _, p := range pods(t, c, namespace, 3) {
		seen[p.GetLabels()["apps.kubernetes.io/pod-index"]] = true
	}
	require.Equal(t, map[string]bool{"0": true, "1": true, "2": true}, seen)
}

// A bundle is fetched by the process itself, with a token that only a file has.
func TestABundle(t *testing.T) {
	workload := objects(t, render(t, "system", "-f", filepath.Join("testdata", "values", "shards.yaml")))["StatefulSet"][0]
	pod, _, err := unstructured.NestedMap(workload.Object, "spec", "template", "spec")
	require.NoError(t, err)
	require.NotContains(t, pod, "initContainers")
	container := pod["containers"].([]any)[0].(map[string]any)
	require.Contains(t, container["args"], "--policies=https://bundles.example.org/scanflow.tar.gz?version=1")
	require.Contains(t, container["args"], "--policies-interval=1m")
	require.Contains(t, container["args"], "--policies-token-file=/policies-token/bearer.txt")
	require.Contains(t, container["volumeMounts"], map[string]any{"name": "policies-token", "mountPath": "/policies-token", "readOnly": true})
	require.Contains(t, container, "startupProbe")
	secrets := map[string]any{"secretName": "bundles", "items": []any{map[string]any{"key": "bearer.txt", "path": "bearer.txt"}}}
	require.Contains(t, pod["volumes"], map[string]any{"name": "policies-token", "secret": secrets})
}

// Signed policies are held against a key that only a file has.
func TestAKeyOfThePolicies(t *testing.T) {
	pod := podOf(t, objects(t, render(t, "system", "-f", values("signed.yaml"))))
	require.Subset(t, pod.Containers[0].Args, []string{"--policies=/policies", "--policies-key=/policies-key/public.pem", "--policies-key-alg=PS256", "--policies-key-scope=site"})
	text := render(t, "system", "-f", values("default.yaml"))
	require.NotContains(t, text, "policies-key")
	bundle := render(t, "system", "-f", values("shards.yaml"), "--set", "policies.key.secretName=signer")
	require.Contains(t, bundle, "--policies-key=/policies-key/key")
}

// Enabled parts are rendered, and disabled ones are not.
func TestWhatIsRendered(t *testing.T) {
	kinds := func(file string) map[string]int {
		out := map[string]int{}
		for kind, list := range objects(t, render(t, "system", "-f", filepath.Join("testdata", "values", file))) {
			out[kind] = len(list)
		}
		return out
	}
	// with has the kinds of a release with the defaults, and some more or fewer.
	with := func(other map[string]int) map[string]int {
		out := map[string]int{
			"Deployment": 1, "Service": 1, "ServiceAccount": 1, "Role": 2, "RoleBinding": 2, "PodDisruptionBudget": 1, "NetworkPolicy": 1,
			"CustomResourceDefinition": 2, "ClusterRole": 1, "Pod": 1,
		}
		for kind, n := range other {
			if out[kind] += n; out[kind] == 0 {
				delete(out, kind)
			}
		}
		return out
	}
	require.Equal(t, with(nil), kinds("default.yaml"))
	require.Equal(t, with(map[string]int{
		"ServiceMonitor": 1, "PrometheusRule": 1, "ConfigMap": 1, "Agent": 1, "ClusterRole": 1, "FlowSchema": 1, "PriorityLevelConfiguration": 1,
	}), kinds("everything.yaml"))
	require.Equal(t, with(map[string]int{
		"Deployment": -1, "StatefulSet": 1, "Role": -1, "RoleBinding": -1, "ClusterRole": 1, "ClusterRoleBinding": 1, "FlowSchema": 1,
	}), kinds("shards.yaml"))
	require.Equal(t, map[string]int{"Deployment": 1, "Service": 1, "Pod": 1}, kinds("least.yaml"))
	require.Equal(t, with(map[string]int{"ConfigMap": 1, "ServiceMonitor": 1}), kinds("tls.yaml"))
	for kind := range objects(t, render(t, "system", "--set", "crds.install=false,rbac.aggregate.view=false")) {
		require.NotContains(t, []string{"CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"}, kind, "who may not write those can install without them")
	}
}

// Package kubernetes_test holds the scenarios against a real API server, and their
// agents against those of the laptop.
package kubernetes_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/actuators"
	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/sensors"
)

func TestMain(m *testing.M) { testcluster.Main(m) }

func text(t *testing.T, path ...string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(path...))
	require.NoError(t, err)
	return string(raw)
}

// resources are the files of the scenario's kustomization, in its order.
func resources(t *testing.T) []string {
	t.Helper()
	var k struct {
		Kind      string   `yaml:"kind"`
		Resources []string `yaml:"resources"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(text(t, "autoscale", "kustomization.yaml")), &k))
	require.Equal(t, "Kustomization", k.Kind)
	return k.Resources
}

// The agent is that of the laptop: nothing of it, and so nothing of what its strategy
// sees, differs.
func TestTheAgentIsThatOfTheLaptop(t *testing.T) {
	kinds := manifest.Kinds{Sensors: sensors.Configs(), Verbs: actuators.Parameters()}
	here, err := manifest.Read([]string{filepath.Join("autoscale", "planner.yaml")}, kinds)
	require.NoError(t, err)
	laptop, err := manifest.Read([]string{filepath.Join("..", "local", "autoscale", "planner.yaml")}, kinds)
	require.NoError(t, err)
	require.Len(t, here, 1)
	require.Equal(t, []string{"serving.autoscale"}, here[0].Spec.Strategies)
	generation, err := here[0].Generation()
	require.NoError(t, err)
	want, err := laptop[0].Generation()
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(laptop[0].Spec, here[0].Spec))
	require.Equal(t, want, generation)
}

// The kustomization has every manifest there is.
func TestKustomizationHasAll(t *testing.T) {
	var found []string
	for _, pattern := range []string{"*.yaml", "workloads/*.yaml"} {
		names, err := filepath.Glob(filepath.Join("autoscale", pattern))
		require.NoError(t, err)
		for _, n := range names {
			if n = strings.TrimPrefix(n, "autoscale/"); n != "kustomization.yaml" {
				found = append(found, n)
			}
		}
	}
	slices.Sort(found)
	require.Equal(t, found, slices.Sorted(slices.Values(resources(t))))
}

// The series that Prometheus makes of a predictor have the labels that the agent's
// query goes by.
func TestScrape(t *testing.T) {
	var jobs []struct {
		Relabel []*relabel.Config `yaml:"relabel_configs"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(text(t, "autoscale", "prometheus", "scrape.yaml")), &jobs))
	require.Len(t, jobs, 1)
	for _, r := range jobs[0].Relabel {
		require.NoError(t, r.Validate(model.LegacyValidation))
	}
	pod := map[string]string{
		"__meta_kubernetes_namespace": "digits", "__meta_kubernetes_pod_name": "digits-1", "__meta_kubernetes_pod_ready": "true",
		"__meta_kubernetes_pod_container_port_name": "http", "__meta_kubernetes_pod_label_app_kubernetes_io_name": "digits",
	}
	made := labels.NewBuilder(labels.FromMap(pod))
	require.True(t, relabel.ProcessBuilder(made, jobs[0].Relabel...))
	for name, want := range map[string]string{"namespace": "digits", "deployment": "digits", "pod": "digits-1"} {
		require.Equal(t, want, made.Get(name))
	}
	for name, value := range map[string]string{"__meta_kubernetes_pod_ready": "false", "__meta_kubernetes_pod_container_port_name": "metrics"} {
		other := maps.Clone(pod)
		other[name] = value
		require.False(t, relabel.ProcessBuilder(labels.NewBuilder(labels.FromMap(other)), jobs[0].Relabel...), name)
	}
}

// All of it is taken by the real API server, and the predictor serves on a node that
// runs pods as processes, in a namespace that takes none but the strictest pods.
func TestItServes(t *testing.T) {
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "agents", "ledgers")
	c.ProcessNodes(t, "node-0")
	for _, file := range resources(t) {
		c.Apply(t, text(t, "autoscale", file))
	}
	digits := c.Client().Dynamic.Resource(schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}).Namespace("digits")
	require.Eventually(t, func() bool {
		o, err := digits.Get(context.Background(), "digits", metav1.GetOptions{})
		require.NoError(t, err)
		ready, _, err := unstructured.NestedInt64(o.Object, "status", "readyReplicas")
		return err == nil && ready == 1
	}, time.Minute, 100*time.Millisecond)
	list, err := c.Client().Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "pods"}).Namespace("digits").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Len(t, list.Items, 1)
	ip, _, err := unstructured.NestedString(list.Items[0].Object, "status", "podIP")
	require.NoError(t, err)
	res, err := http.Post(fmt.Sprintf("http://%s:8080/predict", ip), "application/octet-stream", bytes.NewReader(make([]byte, 784)))
	require.NoError(t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusOK, res.StatusCode, string(body))
}

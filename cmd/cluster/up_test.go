package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/freeport"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// screen is a buffer for the output of a running command.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func TestUp(t *testing.T) {
	dir, config := filepath.Join(t.TempDir(), "cluster"), filepath.Join(t.TempDir(), "config")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out screen
	cmd := newUp()
	cmd.SetArgs([]string{"--nodes", "1", "--kwok-nodes", "1", "--workflows", "--gateway", "--gateway-metrics", "127.0.0.1:0", "--cores", "node-1=0", "--dir", dir, "--kubeconfig", config})
	cmd.SetOut(&out)
	ended := make(chan error, 1)
	go func() { ended <- cmd.ExecuteContext(ctx) }()
	require.Eventually(t, func() bool {
		select {
		case err := <-ended:
			require.NoError(t, err)
		default:
		}
		return strings.Contains(out.String(), "export KUBECONFIG="+config)
	}, 3*time.Minute, 50*time.Millisecond)

	client, err := apiclient.New(apiclient.Options{Kubeconfig: config})
	require.NoError(t, err)
	core, err := corev1client.NewForConfig(client.Config)
	require.NoError(t, err)
	nodes, err := core.Nodes().List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	kinds := map[string]bool{}
	for _, n := range nodes.Items {
		kinds[n.Labels["scanflow.dev/node"]] = true
	}
	require.Equal(t, map[string]bool{"process": true, "kwok": true}, kinds)
	_, err = client.Kinds.Find("scanflow.dev/v1alpha1", "Agent")
	require.NoError(t, err, "the shipped definitions are installed")
	aWorkflowRuns(t, client)
	theEntranceIsScraped(t, client, config, out.String())

	cancel()
	require.NoError(t, <-ended)
	require.NoFileExists(t, config)
	require.Error(t, client.Reach(context.Background()))
}

// aWorkflowRuns submits a Workflow of a WorkflowTemplate, and waits for its end.
func aWorkflowRuns(t *testing.T, client *apiclient.Client) {
	t.Helper()
	create := func(resource, object string) {
		var o unstructured.Unstructured
		require.NoError(t, o.UnmarshalJSON([]byte(object)))
		_, err := client.Dynamic.Resource(schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: resource}).Namespace("default").Create(t.Context(), &o, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	create("workflowtemplates", `{"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate", "metadata": {"name": "hello"},
		"spec": {"entrypoint": "main", "templates": [{"name": "main", "container": {"image": "busybox", "command": ["true"]}}]}}`)
	create("workflows", `{"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "hello-1"}, "spec": {"workflowTemplateRef": {"name": "hello"}}}`)
	runs := client.Dynamic.Resource(schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: "workflows"}).Namespace("default")
	require.Eventually(t, func() bool {
		o, err := runs.Get(t.Context(), "hello-1", metav1.GetOptions{})
		require.NoError(t, err)
		phase, _, err := unstructured.NestedString(o.Object, "status", "phase")
		require.NoError(t, err)
		return phase == "Succeeded"
	}, 30*time.Second, 50*time.Millisecond)
}

// theEntranceIsScraped sends a request to a Service without pods through the gateway, and
// queries its counter from the Prometheus.
func theEntranceIsScraped(t *testing.T, client *apiclient.Client, config, output string) {
	t.Helper()
	at := freeport.Reserve(t)
	_, port, _ := strings.Cut(at, ":")
	var o unstructured.Unstructured
	require.NoError(t, o.UnmarshalJSON([]byte(`{"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "r"},
		"spec": {"parentRefs": [{"name": "gateway", "port": `+port+`}], "rules": [{"backendRefs": [{"name": "none", "port": 80}]}]}}`)))
	_, err := client.Dynamic.Resource(schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"}).Namespace("default").Create(t.Context(), &o, metav1.CreateOptions{})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		resp, err := http.Get("http://" + at)
		if err != nil {
			return false
		}
		defer func() { _ = resp.Body.Close() }()
		return resp.StatusCode == http.StatusServiceUnavailable
	}, 30*time.Second, 50*time.Millisecond)

	_, metrics, found := strings.Cut(output, "counts requests on http://")
	require.True(t, found, output)
	metrics, _, _ = strings.Cut(metrics, "/")
	ctx, cancel := context.WithCancel(t.Context())
	var out screen
	cmd := newPrometheus()
	cmd.SetArgs([]string{"--kubeconfig", config, "--listen", "127.0.0.1:0", "--gateway", metrics, "--interval", "100ms"})
	cmd.SetOut(&out)
	ended := make(chan error, 1)
	go func() { ended <- cmd.ExecuteContext(ctx) }()
	require.Eventually(t, func() bool {
		_, url, found := strings.Cut(out.String(), "answering queries on ")
		if !found {
			return false
		}
		url, _, _ = strings.Cut(url, "\n")
		resp, err := http.Get(url + `/api/v1/query?query=scanflow_router_requests_total{backend="none",name="r"}`)
		require.NoError(t, err)
		defer func() { _ = resp.Body.Close() }()
		raw, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return strings.Contains(string(raw), `"backend":"none"`)
	}, 30*time.Second, 50*time.Millisecond)
	cancel()
	require.NoError(t, <-ended)
}

func TestRefusals(t *testing.T) {
	full := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(full, "x"), nil, 0o600))
	for want, args := range map[string][]string{
		"is not empty":      {"up", "--dir", full},
		"can't be negative": {"up", "--nodes", "-1"},
		"--cores node-3=0: there is no such node that runs processes; these are: node-1, node-2": {"up", "--cores", "node-3=0"},
		"--cores node-1=x: \"x\" is neither a core":                                              {"up", "--cores", "node-2=0", "--cores", "node-1=x"},
		"--gateway-metrics: goes with --gateway":                                                 {"up", "--gateway-metrics", "127.0.0.1:1"},
		"--cores node-1: wants NODE=CORES":                                                       {"up", "--cores", "node-1"},
		"--cores node-1=0: the node has its cores":                                               {"up", "--cores", "node-1=0", "--cores", "node-1=0"},
		"--cores 0,0: core 0 is named twice":                                                     {"node", "--name", "a", "--dir", full, "--cores", "0,0"},
		"--cores : \"\" is neither":                                                              {"node", "--name", "a", "--dir", full, "--cores", ""},
		"cores 1023: core 1023 is not this machine's":                                            {"node", "--name", "a", "--dir", full, "--cores", "1023"},
		"--addresses":        {"node", "--name", "a", "--dir", full, "--addresses", "here"},
		"--capacity cpu=lot": {"node", "--name", "a", "--dir", full, "--capacity", "cpu=lot"},
		"name \"A B\"":       {"node", "--name", "A B", "--dir", full},
	} {
		kubeconfig := filepath.Join(t.TempDir(), "config")
		require.NoError(t, os.WriteFile(kubeconfig, []byte("{apiVersion: v1, kind: Config, clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}], contexts: [{name: c, context: {cluster: c, user: u}}], users: [{name: u, user: {}}], current-context: c}"), 0o600))
		cmd := newUp()
		if args[0] == "node" {
			cmd = newNode()
			args = append(args, "--kubeconfig", kubeconfig)
		}
		cmd.SetArgs(args[1:])
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		require.ErrorContains(t, cmd.ExecuteContext(t.Context()), want)
	}
	from := filepath.Join(full, "x")
	require.ErrorIs(t, copyExclusive(from, from), os.ErrExist)
}

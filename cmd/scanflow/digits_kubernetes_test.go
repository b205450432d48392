package main

import (
	"context"
	"io/fs"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
	"github.com/scanflow-k8s/scanflow/deploy"
)

// The files that the laptop runs are taken by a real API server, and its nodes run
// the server: each pod at its own address, with the version of the registry.
func TestKubernetesTheDigitsOfTheRegistryAreServed(t *testing.T) {
	t.Parallel()
	c := testcluster.New(t) // with no nodes but these, on which pods run
	c.InstallCRDs(t, "workflowtemplate")
	c.ProcessNodes(t, "digits-0", "digits-1")
	w := newWorkshop(t)
	out, err := w.step("publish", "--count=300").CombinedOutput()
	require.NoError(t, err, string(out))
	namespace := c.Namespace(t)
	for _, file := range []string{"digits.yaml", "workflows.yaml"} {
		raw, err := fs.ReadFile(deploy.FS, "modeldebug/workloads/"+file)
		require.NoError(t, err)
		c.Apply(t, strings.NewReplacer("namespace: digits", "namespace: "+namespace, "http://127.0.0.1:5000", w.uri).Replace(string(raw)))
	}
	pods := c.Client().Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "pods"}).Namespace(namespace)
	addresses := map[string]bool{}
	require.Eventually(t, func() bool {
		list, err := pods.List(context.Background(), metav1.ListOptions{})
		require.NoError(t, err)
		for _, p := range list.Items {
			conditions, _, _ := unstructured.NestedSlice(p.Object, "status", "conditions")
			for _, c := range conditions {
				if c := c.(map[string]any); c["type"] == "Ready" && c["status"] == "True" {
					ip, _, _ := unstructured.NestedString(p.Object, "status", "podIP")
					addresses[ip] = true
				}
			}
		}
		return len(addresses) == 2
	}, time.Minute, 100*time.Millisecond)
	var blank digits.Image
	for ip := range addresses {
		s := &serving{t: t, url: "http://" + net.JoinHostPort(ip, "8080")}
		version, _ := s.predict(&blank, 0)
		require.Equal(t, "1", version)
	}
	require.Eventually(t, func() bool {
		ids, err := w.client.Experiments(context.Background(), []string{"digits-predictions"})
		return err == nil && len(ids) == 1
	}, time.Minute, 100*time.Millisecond, "what the pods predict is logged")
}

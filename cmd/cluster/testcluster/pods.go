package testcluster

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

var pods = schema.GroupVersionResource{Version: "v1", Resource: "pods"}

// Patch merges fields into an object, or into a subresource of it.
func (c *Cluster) Patch(t testing.TB, resource schema.GroupVersionResource, namespace, name, fields string, subresources ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waitTimeout)
	defer cancel()
	_, err := c.client.Dynamic.Resource(resource).Namespace(namespace).Patch(ctx, name, types.MergePatchType, []byte(fields), metav1.PatchOptions{}, subresources...)
	require.NoError(t, err)
}

// Delete deletes an object at once: no kubelet is there to say that a pod has ended.
func (c *Cluster) Delete(t testing.TB, resource schema.GroupVersionResource, namespace, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waitTimeout)
	defer cancel()
	now := int64(0)
	require.NoError(t, c.client.Dynamic.Resource(resource).Namespace(namespace).Delete(ctx, name, metav1.DeleteOptions{GracePeriodSeconds: &now}))
}

// WaitPods waits for so many pods with a label, and returns them.
func (c *Cluster) WaitPods(t testing.TB, namespace, selector string, n int) []unstructured.Unstructured {
	t.Helper()
	var out []unstructured.Unstructured
	require.Eventually(t, func() bool {
		list, err := c.client.Dynamic.Resource(pods).Namespace(namespace).List(context.Background(), metav1.ListOptions{LabelSelector: selector})
		require.NoError(t, err)
		out = list.Items
		return len(out) == n
	}, waitTimeout, 20*time.Millisecond, "pods of "+selector)
	return out
}

// RunPod does what a scheduler and a kubelet do: the pod is on a node, and ready.
func (c *Cluster) RunPod(t testing.TB, pod unstructured.Unstructured, node, ip string, restarts int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waitTimeout)
	defer cancel()
	c.Apply(t, fmt.Sprintf("apiVersion: v1\nkind: Node\nmetadata: {name: %s}\n", node))
	_, err := c.client.Dynamic.Resource(pods).Namespace(pod.GetNamespace()).Create(ctx, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Binding", "metadata": map[string]any{"name": pod.GetName()},
		"target": map[string]any{"apiVersion": "v1", "kind": "Node", "name": node},
	}}, metav1.CreateOptions{}, "binding")
	require.NoError(t, err)
	c.Patch(t, pods, pod.GetNamespace(), pod.GetName(), fmt.Sprintf(`{"status": {"phase": "Running", "podIP": %[1]q, "podIPs": [{"ip": %[1]q}],
		"conditions": [{"type": "Ready", "status": "True"}],
		"containerStatuses": [{"name": "main", "restartCount": %[2]d, "image": "", "imageID": "", "ready": true}]}}`, ip, restarts), "status")
}

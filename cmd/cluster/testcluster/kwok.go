package testcluster

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var nodes = schema.GroupVersionResource{Version: "v1", Resource: "nodes"}

// nodeLabel tells the nodes apart: "kwok" or "process". kwok leaves all but its own
// alone, and a pod's nodeSelector may choose.
const nodeLabel = "scanflow.dev/node"

const (
	kwokNodePods = 1000
	// kwok's own 4 at once is for a laptop that does something else besides.
	kwokConfig = `apiVersion: config.kwok.x-k8s.io/v1alpha1
kind: KwokConfiguration
options:
  enableCRDs: []
  podPlayStageParallelism: 32
  nodePlayStageParallelism: 8
  nodeLeaseParallelism: 8
  podsOnNodeSyncParallelism: 8
---
`
)

// KwokNodes adds nodes, labelled scanflow.dev/node=kwok, whose pods are Ready at once and run nothing, and waits until
// they are Ready; pods of Jobs succeed at once. Each takes 1,000 pods. They stay
// until the cluster ends, and further calls add more.
func (c *Cluster) KwokNodes(t testing.TB, n int) {
	t.Helper()
	require.NoError(t, c.AddKwokNodes(context.Background(), n))
}

// AddKwokNodes is KwokNodes outside of a test.
func (c *Cluster) AddKwokNodes(ctx context.Context, n int) error {
	if err := c.startKwok(ctx); err != nil {
		return err
	}
	var names []string
	for range n {
		c.mu.Lock()
		c.counter++
		name := fmt.Sprintf("kwok-%d", c.counter)
		c.mu.Unlock()
		names = append(names, name)
		if _, err := c.ApplyAs(ctx, "kwok-nodes", fmt.Sprintf(`
apiVersion: v1
kind: Node
metadata: {name: %s, labels: {%s: kwok, kubernetes.io/hostname: %s, kubernetes.io/os: linux, kubernetes.io/arch: amd64}}
`, name, nodeLabel, name)); err != nil {
			return err
		}
		if err := c.setCapacity(ctx, name); err != nil {
			return err
		}
	}
	return c.WaitNodesReady(ctx, names...)
}

// setCapacity says what the node can hold: kwok keeps what it finds there.
func (c *Cluster) setCapacity(ctx context.Context, name string) error {
	status := fmt.Sprintf(`{"status":{"capacity":%[1]s,"allocatable":%[1]s}}`, fmt.Sprintf(`{"cpu":"1k","memory":"1Ti","pods":"%d"}`, kwokNodePods))
	_, err := c.client.Dynamic.Resource(nodes).Patch(ctx, name, "application/merge-patch+json", []byte(status), patchOptions, "status")
	if err != nil {
		return fmt.Errorf("give node %s its capacity: %w", name, err)
	}
	return nil
}

// startKwok starts kwok, if it doesn't run, with the stages that its module comes with.
func (c *Cluster) startKwok(ctx context.Context) error {
	c.kwokMu.Lock()
	defer c.kwokMu.Unlock()
	c.mu.Lock()
	running := c.processes["kwok"] != nil
	c.mu.Unlock()
	if running {
		return nil
	}
	var stages, output bytes.Buffer
	cmd := exec.CommandContext(ctx, c.binary, "stages")
	cmd.Stdout, cmd.Stderr = &stages, &output
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("print kwok's stages: %w: %s", err, output.String())
	}
	file := c.path("kwok.yaml")
	if err := os.WriteFile(file, append([]byte(kwokConfig), stages.Bytes()...), 0o600); err != nil {
		return err
	}
	return c.start("kwok", "--config="+file, "--kubeconfig="+c.Kubeconfig(), "--manage-nodes-with-label-selector="+nodeLabel+"=kwok",
		"--node-lease-duration-seconds=40", "--cidr=10.0.0.0/8", "--node-ip=10.0.0.1")
}

// NodesReady waits until every one of the nodes is Ready, and may be given pods.
func (c *Cluster) WaitNodesReady(ctx context.Context, names ...string) error {
	ctx, cancel := context.WithTimeout(ctx, waitTimeout)
	defer cancel()
	for _, name := range names {
		if err := c.waitFor(ctx, "node "+name+" is ready", func(ctx context.Context) error {
			node, err := c.client.Dynamic.Resource(nodes).Get(ctx, name, getOptions)
			if err != nil {
				return err
			}
			if taints, _, _ := unstructured.NestedSlice(node.Object, "spec", "taints"); len(taints) > 0 {
				return fmt.Errorf("it is tainted: %v", taints)
			}
			conditions, _, _ := unstructured.NestedSlice(node.Object, "status", "conditions")
			for _, raw := range conditions {
				if condition, ok := raw.(map[string]any); ok && condition["type"] == "Ready" && condition["status"] == "True" {
					return nil
				}
			}
			return fmt.Errorf("its conditions are %v", conditions)
		}); err != nil {
			return err
		}
	}
	return nil
}

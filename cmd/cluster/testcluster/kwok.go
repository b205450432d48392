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

// nodeLabel is the kind of a node: "kwok" or "process". kwok manages only its own kind, and
// pods can choose by nodeSelector.
const nodeLabel = "scanflow.dev/node"

const (
	kwokNodePods = 1000
	// kwok's default parallelism is 4, which is slow for fleets.
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

// KwokNodes adds nodes and waits until they are Ready. They are labelled
// scanflow.dev/node=kwok, take 1,000 pods each, and only simulate them: pods become Ready
// at once, and those of Jobs succeed. The nodes stay until the cluster ends.
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
		name := c.uniqueName("kwok")
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

// setCapacity sets a node's capacity, which kwok doesn't change.
func (c *Cluster) setCapacity(ctx context.Context, name string) error {
	status := fmt.Sprintf(`{"status":{"capacity":%[1]s,"allocatable":%[1]s}}`, fmt.Sprintf(`{"cpu":"1k","memory":"1Ti","pods":"%d"}`, kwokNodePods))
	_, err := c.client.Dynamic.Resource(nodes).Patch(ctx, name, "application/merge-patch+json", []byte(status), patchOptions, "status")
	if err != nil {
		return fmt.Errorf("give node %s its capacity: %w", name, err)
	}
	return nil
}

// startKwok starts kwok with the stages of its module, unless it runs already.
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

// WaitNodesReady waits until every node is Ready and has no taints.
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
			return checkCondition(node, "Ready")
		}); err != nil {
			return err
		}
	}
	return nil
}

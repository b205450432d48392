package testcluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	leases       = schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}
	patchOptions = metav1.PatchOptions{}
)

// ProcessNodes runs nodes until the test ends, labelled scanflow.dev/node=process. Their
// pods are processes with IP addresses of their own, in which the command word "scanflow"
// runs the program of this checkout. The names must be unique in the cluster. NAME=CORES,
// as "node-1=0", restricts a node's pods to cores of this machine.
func (c *Cluster) ProcessNodes(t testing.TB, list ...string) {
	t.Helper()
	var names []string
	binaries, err := c.BuildBinaries(context.Background())
	require.NoError(t, err)
	for _, arg := range list {
		name, cores, given := strings.Cut(arg, "=")
		names = append(names, name)
		var flags []string
		if given {
			flags = []string{"--cores", cores}
		}
		node, err := c.StartNode(name, binaries, flags...)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, node.Stop()) })
	}
	require.NoError(t, c.WaitNodesReady(context.Background(), names...))
}

// Binaries are the programs of a process-backed node.
type Binaries struct {
	Source   string // the folder of the checkout
	Cluster  string // cmd/cluster
	Scanflow string // cmd/scanflow, the command word "scanflow" of pods
}

// BuildBinaries builds the programs from this checkout, once for each cluster.
func (c *Cluster) BuildBinaries(ctx context.Context) (Binaries, error) {
	root, err := moduleRoot()
	if err != nil {
		return Binaries{}, err
	}
	programs := filepath.Join(c.dir, "bin")
	out := Binaries{Source: root, Cluster: filepath.Join(programs, "cluster"), Scanflow: filepath.Join(programs, "scanflow")}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := os.Stat(out.Scanflow); err == nil {
		return out, nil
	}
	if err := os.MkdirAll(programs, 0o700); err != nil {
		return out, err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", programs, "./cmd/cluster", "./cmd/scanflow")
	build.Dir = root
	if output, err := build.CombinedOutput(); err != nil {
		return out, fmt.Errorf("build the node's programs: %w\n%s", err, bytes.TrimSpace(output))
	}
	return out, nil
}

// Node is a running process-backed node.
type Node struct {
	*child
	cluster *Cluster
	object  string
}

// StartNode starts a node with further flags of "cluster node". It doesn't wait until the
// node is Ready.
func (c *Cluster) StartNode(name string, p Binaries, flags ...string) (*Node, error) {
	args := append([]string{"node", "--kubeconfig", c.Kubeconfig(), "--name", name, "--dir", c.path("node-" + name),
		"--self", p.Scanflow, "--back-off", "1s", "--labels", nodeLabel + "=process", "--until-input-ends"}, flags...)
	started, err := c.startChild("node "+name, "node-"+name+".log", p.Cluster, args)
	if err != nil {
		return nil, fmt.Errorf("start node %s: %w", name, err)
	}
	return &Node{child: started, cluster: c, object: name}, nil
}

// Stop shuts the node and its pods down gracefully, and deletes its objects, so that the
// control plane doesn't wait for it to come back.
func (n *Node) Stop() error {
	if n.stopped {
		return nil
	}
	errs := []error{n.child.Stop()}
	ctx, cancel := context.WithTimeout(context.Background(), childStopTimeout)
	defer cancel()
	for _, err := range []error{
		n.cluster.client.Dynamic.Resource(nodes).Delete(ctx, n.object, metav1.DeleteOptions{}),
		n.cluster.client.Dynamic.Resource(leases).Namespace("kube-node-lease").Delete(ctx, n.object, metav1.DeleteOptions{}),
	} {
		// A test may have stopped the API server for good.
		if err != nil && !apierrors.IsNotFound(err) && n.cluster.client.Reach(ctx) == nil {
			errs = append(errs, fmt.Errorf("remove node %s: %w", n.object, err))
		}
	}
	return errors.Join(errs...)
}

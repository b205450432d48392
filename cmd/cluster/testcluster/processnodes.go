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

// ProcessNodes starts nodes, labelled scanflow.dev/node=process, whose pods really run,
// as processes with addresses of their own, and stops them at the test's end. In their
// pods the command word "scanflow" is the program of this checkout. The names are the cluster's alone; one may
// be NAME=CORES, with the cores of this machine that its pods run on: "node-1=0".
func (c *Cluster) ProcessNodes(t testing.TB, list ...string) {
	t.Helper()
	var names []string
	binaries, err := c.BuildBinaries(context.Background())
	require.NoError(t, err)
	for _, of := range list {
		name, cores, given := strings.Cut(of, "=")
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

// Programs are what a process-backed node is made of.
type Binaries struct {
	Source   string // the folder of the checkout
	Cluster  string // cmd/cluster
	Scanflow string // cmd/scanflow, which pods call "scanflow"
}

// BuildNode builds both from this checkout, once a cluster; Go's own cache makes it
// short when nothing has changed.
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

// Node is a process-backed node under way.
type Node struct {
	*child
	cluster *Cluster
	object  string
}

// StartNode starts a node, with more flags of "cluster node" if need be; it is Ready some
// time later.
func (c *Cluster) StartNode(name string, p Binaries, flags ...string) (*Node, error) {
	args := append([]string{"node", "--kubeconfig", c.Kubeconfig(), "--name", name, "--dir", c.path("node-" + name),
		"--self", p.Scanflow, "--back-off", "1s", "--labels", nodeLabel + "=process", "--until-input-ends"}, flags...)
	started, err := c.startChild("node "+name, "node-"+name+".log", p.Cluster, args)
	if err != nil {
		return nil, fmt.Errorf("start node %s: %w", name, err)
	}
	return &Node{child: started, cluster: c, object: name}, nil
}

// Stop ends the node and its pods as a machine that is switched off in order, and
// removes its object, so that nothing waits for it to come back.
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

package testcluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// shared is the cluster of all tests of a test binary.
var shared struct {
	once    sync.Once
	cluster *Cluster
	dir     string
	err     error
}

// Main runs a package's tests, stops their shared cluster, and exits. Call it from
// TestMain.
func Main(m *testing.M) { os.Exit(Run(m)) }

// Run is Main without the exit: it returns the exit status.
func Run(m *testing.M) int {
	code := m.Run()
	if shared.cluster != nil {
		if err := shared.cluster.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stop the test cluster:", err)
		}
	}
	if shared.dir != "" {
		if err := os.RemoveAll(shared.dir); err != nil {
			fmt.Fprintln(os.Stderr, "remove the test cluster's files:", err)
		}
	}
	return code
}

// Shared returns the cluster of this package's tests, and boots it at the first call. Tests
// must use namespaces of their own.
func Shared(t testing.TB) *Cluster {
	t.Helper()
	shared.once.Do(func() {
		if shared.dir, shared.err = os.MkdirTemp("", "scanflow-cluster-"); shared.err == nil {
			shared.cluster, shared.err = Start(context.Background(), shared.dir)
		}
	})
	require.NoError(t, shared.err)
	return shared.cluster
}

// New boots a cluster for one test, which may stop and break it.
func New(t testing.TB) *Cluster {
	t.Helper()
	c, err := Start(context.Background(), filepath.Join(t.TempDir(), "cluster"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Stop()) })
	return c
}

// StopAPIServer kills the API server. Its state stays in etcd.
func (c *Cluster) StopAPIServer(t testing.TB) {
	t.Helper()
	c.mu.Lock()
	p := c.processes["kube-apiserver"]
	delete(c.processes, "kube-apiserver")
	c.mu.Unlock()
	require.NotNil(t, p, "the API server runs")
	require.NoError(t, p.kill())
}

// StartAPIServer starts the API server again at the same address, and waits until it is
// ready.
func (c *Cluster) StartAPIServer(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), bootTimeout)
	defer cancel()
	require.NoError(t, c.start("kube-apiserver", c.apiserverFlags()...))
	require.NoError(t, c.ready(ctx))
}

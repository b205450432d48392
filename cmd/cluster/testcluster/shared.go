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

// shared is the one cluster of a package's tests. It is a package's own state, as a
// test binary's set-up is.
var shared struct {
	once    sync.Once
	cluster *Cluster
	dir     string
	err     error
}

// Main runs a package's tests, stops the cluster that they shared, and exits. Call
// it from TestMain.
func Main(m *testing.M) { os.Exit(Run(m)) }

// Run is Main for a TestMain that has more to do: it returns the status to exit with.
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

// Shared is the cluster of this package's tests, booted when the first asks for it.
// Tests keep out of each other's way by namespaces.
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

// New is a cluster of a test's own, to be stopped and broken.
func New(t testing.TB) *Cluster {
	t.Helper()
	c, err := Start(context.Background(), filepath.Join(t.TempDir(), "cluster"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Stop()) })
	return c
}

// StopAPIServer kills the API server; etcd keeps what it said.
func (c *Cluster) StopAPIServer(t testing.TB) {
	t.Helper()
	c.mu.Lock()
	p := c.processes["kube-apiserver"]
	delete(c.processes, "kube-apiserver")
	c.mu.Unlock()
	require.NotNil(t, p, "the API server runs")
	require.NoError(t, p.kill())
}

// StartAPIServer starts it again, at the same address, and waits until it is ready.
func (c *Cluster) StartAPIServer(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), bootTimeout)
	defer cancel()
	require.NoError(t, c.start("kube-apiserver", c.apiserverFlags()...))
	require.NoError(t, c.ready(ctx))
}

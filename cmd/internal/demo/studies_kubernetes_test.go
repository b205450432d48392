package demo

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/cmd/cluster/workflowcontroller"
)

var ledgersResource = schema.GroupVersionResource{Group: "scanflow.dev", Version: "v1alpha1", Resource: "ledgers"}

// studyCluster is a cluster with a gateway and workflows. Each of its two nodes has one core of
// this machine, if there are two.
type studyCluster struct {
	*testcluster.Cluster
	metrics string // of the gateway, as host:port
}

func newStudyCluster(t *testing.T) *studyCluster {
	t.Helper()
	c := &studyCluster{Cluster: testcluster.New(t)}
	c.InstallCRDs(t, "agents", "ledgers", "workflow", "workflowtemplate")
	nodes := []string{"node-1", "node-2"}
	if cores, err := pod.UsableCores(); err == nil && len(cores) > 1 {
		nodes = []string{"node-1=" + cores[:1].String(), "node-2=" + cores[1:2].String()}
	}
	c.ProcessNodes(t, nodes...)
	built, err := c.BuildBinaries(t.Context())
	require.NoError(t, err)
	gateway, err := c.StartGateway(t.Context(), built)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, gateway.Stop()) })
	metrics, err := gateway.Metrics(t.Context())
	require.NoError(t, err)
	c.metrics = strings.TrimSuffix(strings.TrimPrefix(metrics, "http://"), "/metrics")

	ctx, stop := context.WithCancel(context.Background())
	var workflows sync.WaitGroup
	dir := t.TempDir()
	workflows.Go(func() {
		if err := workflowcontroller.Run(ctx, workflowcontroller.Options{Client: c.Client(), Dir: dir, Self: built.Scanflow, Pods: true}); err != nil {
			t.Errorf("run workflows: %v", err)
		}
	})
	t.Cleanup(func() { stop(); workflows.Wait() })
	return c
}

// run runs a short scenario, and requires that nothing is left of it.
func (c *studyCluster) run(t *testing.T, name string, speed float64, scenario func(*testing.T, Options)) {
	t.Run(name, func(t *testing.T) {
		o := shortForm(t, speed)
		o.Kubernetes, o.GatewayMetrics = c.Client(), c.metrics
		scenario(t, o)
		left, err := c.Client().Dynamic.Resource(ledgersResource).List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		require.Empty(t, left.Items, "a run that follows knows nothing of this one")
	})
}

// Sequentially, like a user runs them on one cluster.
func TestOnKubernetes(t *testing.T) {
	c := newStudyCluster(t)
	c.run(t, "failover", 5, failover)
	c.run(t, "interference", 5, interference)
	// The other scaler is the cluster's own controller, which syncs every 15 s even in a
	// short run.
	c.run(t, "mlperf", 10, mlperf)
	c.run(t, "reserve", 1, reserveOnKubernetes)
	c.run(t, "day", 5, dayOnKubernetes)
}

package main

import (
	"context"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/sensors/promengine"
)

// backupAgent is that of cmd/internal/app's failover on a laptop, but that it asks
// the cluster itself whether the primary is there.
const backupAgent = `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: failover, namespace: NAMESPACE}
spec:
  targets: {apiVersion: apps/v1, kind: Deployment, selector: {matchLabels: {scaled: "yes"}}}
  triggers: [{name: tick, every: 100ms}]
  sensors:
    - {name: ready_replicas, workload: {field: ready}}
    - {name: ready_replicas_min, prometheus: {query: "min_over_time(kube_deployment_status_replicas_ready[2s])"}, staleAfter: 10s}
  strategies: [serving.failover]
  primitives: [traffic]
  params: {route: digits, primary: large, backup: small}
`

const mesh = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: digits, namespace: NAMESPACE}
spec:
  hosts: [digits]
  http: [{route: [{destination: {host: large}, weight: 100}, {destination: {host: small}, weight: 0}]}]
`

var meshResource = schema.GroupVersionResource{Group: "networking.istio.io", Version: "v1", Resource: "virtualservices"}

// S4 on a cluster, by the strategy that ships: the primary's pods go, and the route
// goes to the backup; they come back, and once they have been there for a while, so
// does the route. It is the same with a Gateway API route and with Istio's.
func TestS4OnKubernetes(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		crd, route string
		params     string // further ones
		weight     func(s *stage, backend string) string
	}{
		"by an HTTPRoute": {"httproute", gateway, "", func(s *stage, i string) string {
			return s.field(routesResource, "digits", "spec", "rules", "0", "backendRefs", i, "weight")
		}},
		"by a VirtualService": {"virtualservice", mesh, ", route_kind: VirtualService", func(s *stage, i string) string {
			return s.field(meshResource, "digits", "spec", "http", "0", "route", i, "weight")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failsOver(t, row.crd, row.route, strings.Replace(backupAgent, "backup: small", "backup: small"+row.params, 1), row.weight)
		})
	}
}

func failsOver(t *testing.T, crd, route, agent string, weight func(s *stage, backend string) string) {
	c := testcluster.Shared(t)
	c.InstallCRDs(t, crd)
	s := newStage(t, c, agent)
	s.apply(webDeployment)
	s.apply(route)
	s.rolledOut("web")

	prom, err := promengine.Open(promengine.Options{})
	require.NoError(t, err)
	api := httptest.NewServer(prom.Handler())
	ctx, cancel := context.WithCancel(context.Background())
	var metrics sync.WaitGroup
	metrics.Go(func() { s.stateMetrics(ctx, prom) })
	t.Cleanup(func() {
		cancel()
		metrics.Wait()
		api.Close()
		require.NoError(t, prom.Close())
	})
	s.apply(agent)
	s.policies = filepath.Join("..", "..", "policies")
	d := s.daemon("--prometheus", api.URL)
	weights := func() string { return weight(s, "0") + ":" + weight(s, "1") }
	d.until("it looks on", func() bool { return d.leads() })
	d.fires(s.namespace+"/failover", 5)
	require.Equal(t, "100:0", weights(), "as long as the primary is there, nothing is done")

	s.patch(deploymentsResource, "web", map[string]any{"spec": map[string]any{"replicas": 0}})
	s.until("the traffic goes to the backup", func() bool { return weights() == "0:100" })
	d.fires(s.namespace+"/failover", 5)
	require.Equal(t, 1, d.acts("traffic", false))

	back := time.Now()
	s.patch(deploymentsResource, "web", map[string]any{"spec": map[string]any{"replicas": 2}})
	s.until("the traffic goes back", func() bool { return weights() == "100:0" })
	require.GreaterOrEqual(t, time.Since(back), 2*time.Second, "not before the primary was there for a while")
	d.fires(s.namespace+"/failover", 5)
	require.Equal(t, 2, d.acts("traffic", false), "there, and back")
	require.Contains(t, s.events("web"), "primary_not_ready")
	require.Contains(t, s.events("web"), "primary_ready_for_a_while")
	d.stop()
}

// stateMetrics tells Prometheus what kube-state-metrics would, until ctx ends.
func (s *stage) stateMetrics(ctx context.Context, prom *promengine.Engine) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		o, err := s.cluster.Client().Dynamic.Resource(deploymentsResource).Namespace(s.namespace).Get(ctx, "web", metav1.GetOptions{})
		if err == nil {
			ready, _, _ := unstructured.NestedInt64(o.Object, "status", "readyReplicas")
			err = prom.Append(ctx, []promengine.Sample{{
				Labels: map[string]string{"__name__": "kube_deployment_status_replicas_ready", "namespace": s.namespace, "deployment": "web"},
				At:     time.Now(), Value: float64(ready),
			}})
		}
		if err != nil && ctx.Err() == nil {
			s.t.Errorf("tell how many replicas are ready: %v", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

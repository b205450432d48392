package main

import (
	"context"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
	"github.com/scanflow-k8s/scanflow/cmd/internal/load"
	"github.com/scanflow-k8s/scanflow/sensors/promengine"
)

var podsResource = schema.GroupVersionResource{Version: "v1", Resource: "pods"}

// front stands for what a cluster has between a client and the pods of a Service,
// and for the service discovery of its Prometheus: it follows the ready pods.
type front struct {
	mu   sync.Mutex
	pods []string // host:port
	next int
}

func (f *front) pick() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.pods) == 0 {
		return ""
	}
	f.next++
	return f.pods[f.next%len(f.pods)]
}

func (f *front) all() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.pods)
}

// follow keeps the front and the scrape targets at the ready pods, until ctx ends.
func (f *front) follow(ctx context.Context, t *testing.T, c *testcluster.Cluster, prom *promengine.Engine) {
	pods := c.Client().Dynamic.Resource(podsResource).Namespace("digits")
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	var before []string
	for {
		list, err := pods.List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=digits"})
		if err == nil {
			var ready []string
			var targets []promengine.Target
			for _, p := range list.Items {
				conditions, _, _ := unstructured.NestedSlice(p.Object, "status", "conditions")
				ip, _, _ := unstructured.NestedString(p.Object, "status", "podIP")
				if p.GetDeletionTimestamp() != nil || ip == "" || !slices.ContainsFunc(conditions, func(raw any) bool {
					c, _ := raw.(map[string]any)
					return c["type"] == "Ready" && c["status"] == "True"
				}) {
					continue
				}
				ready = append(ready, ip+":8080")
				targets = append(targets, promengine.Target{Address: ip + ":8080", Labels: map[string]string{"namespace": "digits", "deployment": "digits", "pod": p.GetName()}})
			}
			slices.Sort(ready)
			f.mu.Lock()
			f.pods = ready
			f.mu.Unlock()
			if !slices.Equal(before, ready) {
				before = ready
				if err := prom.SetTargets("digits", targets); err != nil {
					t.Errorf("scrape the pods: %v", err)
				}
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// S2 for real on a cluster, from the files of deploy/kubernetes: the classifier
// trains and serves in pods that are processes, Prometheus scrapes them, an MLPerf
// Server load steps, swings and falls, and the agent keeps up without flapping.
func TestS2OnKubernetes(t *testing.T) {
	t.Parallel()
	c := testcluster.New(t)
	c.InstallCRDs(t, "agents", "ledgers")
	c.ProcessNodes(t, "node-a", "node-b")
	scenario := filepath.Join("..", "..", "deploy", "kubernetes", "autoscale")
	file := func(name string) string {
		raw, err := os.ReadFile(filepath.Join(scenario, name))
		require.NoError(t, err)
		return string(raw)
	}
	c.Apply(t, file("namespace.yaml"))
	c.Apply(t, file("workloads/digits.yaml"))

	prom, err := promengine.Open(promengine.Options{ScrapeInterval: 500 * time.Millisecond})
	require.NoError(t, err)
	api := httptest.NewServer(prom.Handler())
	f := &front{}
	following, stop := context.WithCancel(context.Background())
	var follower sync.WaitGroup
	follower.Go(func() { f.follow(following, t, c, prom) })
	service := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: f.pick()}) },
	})
	t.Cleanup(func() {
		service.Close()
		stop()
		follower.Wait()
		api.Close()
		require.NoError(t, prom.Close())
	})
	require.Eventually(t, func() bool { return f.pick() != "" }, 2*time.Minute, 100*time.Millisecond, "the classifier serves")

	out, code := scanflow(t, "rbac", "-f", filepath.Join(scenario, "planner.yaml"), "--namespace", "digits", "--service-account", "scanflow")
	require.Equal(t, 0, code, out)
	config := c.KubeconfigFor(t, "digits", "scanflow")
	c.Apply(t, out)
	c.Apply(t, file("planner.yaml"))
	d := startDaemon(t, "--kubernetes", "--kubeconfig", config, "--namespace", "digits", "--prometheus", api.URL, "--data", t.TempDir())
	require.Eventually(t, func() bool { return d.leads() }, 30*time.Second, 20*time.Millisecond)

	var replicas []int64 // each time that they change
	var watching sync.WaitGroup
	watchCtx, stopWatch := context.WithCancel(context.Background())
	defer func() { stopWatch(); watching.Wait() }()
	changes, err := c.Client().Dynamic.Resource(deploymentsResource).Namespace("digits").Watch(watchCtx, metav1.ListOptions{})
	require.NoError(t, err)
	var mu sync.Mutex
	watching.Go(func() {
		for e := range changes.ResultChan() {
			o, is := e.Object.(*unstructured.Unstructured)
			if !is {
				continue
			}
			n, _, _ := unstructured.NestedInt64(o.Object, "spec", "replicas")
			mu.Lock()
			if len(replicas) == 0 || replicas[len(replicas)-1] != n {
				replicas = append(replicas, n)
			}
			mu.Unlock()
		}
	})

	renderer, err := digits.NewRenderer(digits.DefaultStyle())
	require.NoError(t, err)
	images := renderer.Set(100, 1).Images
	generator, err := load.New(load.Options{URL: service.URL + "/predict", Seed: 1, Phases: []load.Phase{
		{Name: "quiet", Duration: 8 * time.Second, Rate: 4},
		{Name: "step", Duration: 20 * time.Second, Rate: 28},
		{Name: "swing", Duration: 15 * time.Second, Rate: 26, To: 38, Shape: load.Sine, Period: 5 * time.Second},
		{Name: "fall", Duration: 25 * time.Second, Rate: 3},
	}, Body: func(n int) (string, []byte) { return "application/octet-stream", images[n%len(images)][:] }})
	require.NoError(t, err)
	result, err := generator.Run(t.Context())
	require.NoError(t, err)

	mu.Lock()
	seen := slices.Clone(replicas)
	mu.Unlock()
	t.Logf("replicas: %v; %s", seen, d.url)
	most := slices.Max(seen)
	require.GreaterOrEqual(t, most, int64(3), "the step was answered")
	turns := 0
	for i := 2; i < len(seen); i++ {
		if (seen[i] > seen[i-1]) != (seen[i-1] > seen[i-2]) {
			turns++
		}
	}
	require.LessOrEqual(t, turns, 1, "up, and down once: %v", seen)
	require.Less(t, seen[len(seen)-1], most, "and down when the load fell")
	for _, p := range result.Phases {
		t.Logf("%-6s p99 %.0f ms, %d errors of %d", p.Name, p.P99, p.Errors, p.Count)
		require.Zero(t, p.Errors, "no request was lost in phase %s", p.Name)
	}
	d.stop()
}

package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/sensors/promengine"
)

// largeFleet is an agent as a user would write it: the strategy that ships, two
// signals, and nothing tuned.
const largeFleet = `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: planner, namespace: fleet}
spec:
  targets: {apiVersion: apps/v1, kind: Deployment, selector: {matchLabels: {scaled: "yes"}}}
  triggers: [{name: tick, every: INTERVAL}]
  sensors:
    - name: requests_per_second
      prometheus: {query: 'requests_per_second', match: {namespace: namespace, deployment: name}}
      staleAfter: 5m
    - {name: ready, workload: {field: ready}}
  strategies: [serving.autoscale]
  primitives: [scale]
  params: {requests_per_second_per_replica: 20}
  guards: {replicas: {min: 1, max: 10}}
`

// fleetBench is a cluster with many Deployments on kwok nodes, a Prometheus that
// tells their load, and a daemon in a process of its own, under the permissions that
// `scanflow rbac` prints.
type fleetBench struct {
	b       *testing.B
	cluster *testcluster.Cluster
	prom    *promengine.Engine
	url     string
	queries atomic.Int64
	names   []string
	through *requestRecorder // counts the daemon's requests; nil is the API server itself
}

func newFleetBench(b *testing.B, n, replicas, nodes int) *fleetBench {
	b.Helper()
	f := &fleetBench{b: b, cluster: testcluster.New(b)}
	f.cluster.InstallCRDs(b, "agents", "ledgers")
	f.cluster.KwokNodes(b, nodes)
	f.cluster.Apply(b, "apiVersion: v1\nkind: Namespace\nmetadata: {name: fleet}\n")
	f.create(n, replicas)
	var err error
	f.prom, err = promengine.Open(promengine.Options{})
	require.NoError(b, err)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.queries.Add(1)
		f.prom.Handler().ServeHTTP(w, r)
	}))
	f.url = api.URL
	b.Cleanup(func() {
		api.Close()
		require.NoError(b, f.prom.Close())
	})
	return f
}

// create makes the Deployments, and waits until all pods are ready.
func (f *fleetBench) create(n, replicas int) {
	f.b.Helper()
	deployments := f.cluster.Client().Dynamic.Resource(deploymentsResource).Namespace("fleet")
	next := make(chan int)
	var workers sync.WaitGroup
	for range 16 {
		workers.Go(func() {
			for i := range next {
				_, err := deployments.Create(context.Background(), &unstructured.Unstructured{Object: map[string]any{
					"apiVersion": "apps/v1", "kind": "Deployment",
					"metadata": map[string]any{"name": fmt.Sprintf("d%05d", i), "labels": map[string]any{"scaled": "yes"}},
					"spec": map[string]any{
						"replicas": replicas, "selector": map[string]any{"matchLabels": map[string]any{"app": fmt.Sprintf("d%05d", i)}},
						"template": map[string]any{
							"metadata": map[string]any{"labels": map[string]any{"app": fmt.Sprintf("d%05d", i)}},
							"spec":     map[string]any{"containers": []any{map[string]any{"name": "c", "image": "none"}}},
						},
					},
				}}, metav1.CreateOptions{FieldManager: "kubectl-create"})
				if err != nil {
					f.b.Errorf("create Deployment %d: %v", i, err)
				}
			}
		})
	}
	for i := range n {
		f.names = append(f.names, fmt.Sprintf("d%05d", i))
		next <- i
	}
	close(next)
	workers.Wait()
	f.settled(replicas, 10*time.Minute)
}

// settled waits until every Deployment is at its number, and returns when the last
// one wanted it, and when the last one had it.
func (f *fleetBench) settled(replicas int, within time.Duration) (wanted, ready time.Time) {
	f.b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	left, unwanted := map[string]bool{}, map[string]bool{}
	for _, name := range f.names {
		left[name], unwanted[name] = true, true
	}
	see := func(o *unstructured.Unstructured) {
		want, _, _ := unstructured.NestedInt64(o.Object, "spec", "replicas")
		have, _, _ := unstructured.NestedInt64(o.Object, "status", "readyReplicas")
		observed, _, _ := unstructured.NestedInt64(o.Object, "status", "observedGeneration")
		if want == int64(replicas) && unwanted[o.GetName()] {
			delete(unwanted, o.GetName())
			wanted = time.Now()
		}
		if want == int64(replicas) && have == int64(replicas) && observed == o.GetGeneration() && left[o.GetName()] {
			delete(left, o.GetName())
			ready = time.Now()
		}
	}
	deployments := f.cluster.Client().Dynamic.Resource(deploymentsResource).Namespace("fleet")
	for len(left) > 0 {
		list, err := deployments.List(ctx, metav1.ListOptions{})
		require.NoError(f.b, err)
		for i := range list.Items {
			see(&list.Items[i])
		}
		events, err := deployments.Watch(ctx, metav1.ListOptions{ResourceVersion: list.GetResourceVersion()})
		require.NoError(f.b, err)
		for len(left) > 0 {
			e, open := <-events.ResultChan()
			if !open {
				break // it is listed again
			}
			if o, is := e.Object.(*unstructured.Unstructured); is {
				see(o)
			}
		}
		events.Stop()
		require.NoError(f.b, ctx.Err(), "%d of %d are not at %d replicas", len(left), len(f.names), replicas)
	}
	return wanted, ready
}

// load writes a sample of every target's load, from the same moment.
func (f *fleetBench) load(requestsPerSecond float64) {
	f.b.Helper()
	f.loadOf(f.names, requestsPerSecond)
}

func (f *fleetBench) loadOf(names []string, requestsPerSecond float64) {
	f.b.Helper()
	samples := make([]promengine.Sample, len(names))
	at := time.Now()
	for i, name := range names {
		samples[i] = promengine.Sample{
			Labels: map[string]string{"__name__": "requests_per_second", "namespace": "fleet", "deployment": name}, At: at, Value: requestsPerSecond,
		}
	}
	require.NoError(f.b, f.prom.Append(context.Background(), samples))
}

// start runs the daemon, and waits for its first firing over the whole fleet.
func (f *fleetBench) start(interval string) *fleetDaemon {
	f.b.Helper()
	dir := f.b.TempDir()
	manifest := strings.ReplaceAll(largeFleet, "INTERVAL", interval)
	file := filepath.Join(dir, "agent.yaml")
	require.NoError(f.b, os.WriteFile(file, []byte(manifest), 0o644))
	program := filepath.Join(dir, "scanflow")
	out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(f.b, err, string(out))
	rules, err := exec.Command(program, "rbac", "-f", file, "--namespace", "fleet", "--service-account", "scanflow").CombinedOutput()
	require.NoError(f.b, err, string(rules))
	config := f.cluster.KubeconfigFor(f.b, "fleet", "scanflow")
	if f.through != nil {
		config = f.through.kubeconfig(f.b, config)
	}
	f.cluster.Apply(f.b, string(rules))
	f.cluster.Apply(f.b, manifest)
	d := &fleetDaemon{b: f.b, log: filepath.Join(dir, "log")}
	log, err := os.Create(d.log)
	require.NoError(f.b, err)
	d.cmd = exec.Command(program, "run", "--kubernetes", "--kubeconfig", config, "--namespace", "fleet", "--prometheus", f.url,
		"--data", filepath.Join(dir, "data"), "--listen", "127.0.0.1:0")
	d.cmd.Stderr = log
	require.NoError(f.b, d.cmd.Start())
	f.b.Cleanup(func() {
		_ = d.cmd.Process.Kill()
		_ = d.cmd.Wait()
		_ = log.Close()
		if f.b.Failed() {
			raw, _ := os.ReadFile(d.log)
			f.b.Logf("the end of the log:\n%s", raw[max(0, len(raw)-4000):])
		}
	})
	address := regexp.MustCompile(`running: address=(\S+)`)
	require.Eventually(f.b, func() bool {
		raw, err := os.ReadFile(d.log)
		require.NoError(f.b, err)
		if m := address.FindSubmatch(raw); m != nil {
			d.url = "http://" + string(m[1])
		}
		return d.url != "" && d.metric("scanflow_agent_targets") == float64(len(f.names))
	}, 2*time.Minute, 20*time.Millisecond)
	return d
}

// bare scales every Deployment by a client without an engine, which sends just the writes that
// the daemon's acts send, over a connection with the daemon's settings. It returns the time
// from the first write to the last one that is seen.
func (f *fleetBench) bare(replicas int) time.Duration {
	f.b.Helper()
	client, err := apiclient.FromConfig(f.cluster.Client().Config, "fleet", apiclient.Options{})
	require.NoError(f.b, err)
	deployments := client.Dynamic.Resource(deploymentsResource).Namespace("fleet")
	list, err := deployments.List(context.Background(), metav1.ListOptions{})
	require.NoError(f.b, err)
	next := make(chan *unstructured.Unstructured, len(list.Items))
	for i := range list.Items {
		next <- &list.Items[i]
	}
	close(next)
	began := time.Now()
	for range 32 { // the bound of the connection
		go func() {
			for o := range next {
				_, err := deployments.Patch(context.Background(), o.GetName(), types.ApplyPatchType, fmt.Appendf(nil,
					`{"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": %q, "namespace": "fleet", "uid": %q}, "spec": {"replicas": %d}}`, o.GetName(), o.GetUID(), replicas),
					metav1.PatchOptions{FieldManager: "scanflow-scale", Force: new(true)}, "scale")
				if err != nil {
					f.b.Errorf("scale %s: %v", o.GetName(), err)
				}
			}
		}()
	}
	wanted, _ := f.settled(replicas, 10*time.Minute)
	return wanted.Sub(began)
}

// BenchmarkKubernetesFleet moves 1,000 Deployments from 1 to 4 replicas by one
// change of the load: from the sample that shows it to the last scale written, and
// to the last pod Ready. The floor is a bare client that sends the same writes in the same
// run; the ratio is that of the time from the decisions to the last scale.
func BenchmarkKubernetesFleet(b *testing.B) {
	for range b.N {
		n := fleetSize(b)
		f := newFleetBench(b, n, 1, 5)
		floor := f.bare(4)
		f.bare(1)
		f.load(15)
		d := f.start("1s")
		require.Eventually(b, func() bool { return d.metric("scanflow_firings_total") >= 3 }, time.Minute, 20*time.Millisecond)
		before, queries, firings := d.metric("scanflow_kubernetes_requests_total"), f.queries.Load(), d.metric("scanflow_firings_total")
		cpuBefore, _ := d.usage()
		began := time.Now()
		f.load(75)
		fired := make(chan time.Time, 1)
		go func() {
			poll := time.NewTicker(20 * time.Millisecond)
			defer poll.Stop()
			for d.metricWith("scanflow_decisions_total", `verdict="admitted"`) == 0 {
				<-poll.C
			}
			fired <- time.Now()
		}()
		wanted, ready := f.settled(4, 5*time.Minute)
		require.Eventually(b, func() bool { return d.metricWith("scanflow_acts_total", `outcome="done"`) == float64(n) }, time.Minute, 50*time.Millisecond)
		requests := d.settledMetric("scanflow_kubernetes_requests_total")
		cpu, peak := d.usage()
		decided := <-fired
		b.ReportMetric(wanted.Sub(decided).Seconds()/floor.Seconds(), "ratio")
		b.ReportMetric(floor.Seconds(), "s-floor")
		b.ReportMetric(decided.Sub(began).Seconds(), "s-to-decided")
		b.ReportMetric(wanted.Sub(began).Seconds(), "s-to-last-scale")
		b.ReportMetric(ready.Sub(began).Seconds(), "s-to-last-ready")
		b.ReportMetric((requests-before)/float64(n), "requests/act")
		b.ReportMetric(float64(f.queries.Load()-queries)/(d.metric("scanflow_firings_total")-firings), "queries/interval")
		b.ReportMetric((cpu - cpuBefore).Seconds(), "s-CPU")
		b.ReportMetric(peak, "MiB-peak")
		require.NoError(b, d.cmd.Process.Signal(syscall.SIGTERM))
	}
}

// BenchmarkKubernetesIdle watches 10,000 targets of which none changes, every 15 s.
func BenchmarkKubernetesIdle(b *testing.B) {
	for range b.N {
		f := newFleetBench(b, 10_000, 1, 11)
		f.load(15)
		d := f.start("15s")
		require.Eventually(b, func() bool { return d.metric("scanflow_firings_total") >= 2 }, 2*time.Minute, 100*time.Millisecond)
		cpuBefore, _ := d.usage()
		writes := func() float64 {
			return d.metricWith("scanflow_kubernetes_requests_total", `"PATCH"`) + d.metricWith("scanflow_kubernetes_requests_total", `"POST"`) + d.metricWith("scanflow_kubernetes_requests_total", `"PUT"`)
		}
		wrote, began := writes(), time.Now()
		firings := d.metric("scanflow_firings_total")
		require.Eventually(b, func() bool {
			f.load(15)
			return d.metric("scanflow_firings_total") >= firings+4
		}, 3*time.Minute, 5*time.Second)
		span := time.Since(began)
		cpu, peak := d.usage()
		b.ReportMetric(100*(cpu-cpuBefore).Seconds()/span.Seconds(), "%-core")
		b.ReportMetric(peak, "MiB-peak")
		b.ReportMetric(writes()-wrote, "writes") // the Lease is renewed over a connection of its own
		require.NoError(b, d.cmd.Process.Signal(syscall.SIGTERM))
	}
}

// fleetSize is 1,000, or what SCANFLOW_FLEET says.
func fleetSize(b *testing.B) int {
	b.Helper()
	text := os.Getenv("SCANFLOW_FLEET")
	if text == "" {
		return 1000
	}
	n, err := strconv.Atoi(text)
	require.NoError(b, err)
	return n
}

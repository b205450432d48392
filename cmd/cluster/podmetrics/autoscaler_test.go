package podmetrics

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/sensors/promengine"
)

func TestMain(m *testing.M) { testcluster.Main(m) }

const within = 90 * time.Second

const web = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: %[1]s}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: none}]}}
`

const autoscaler = `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: %[1]s}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 1
  maxReplicas: 10
  behavior: {scaleDown: {stabilizationWindowSeconds: 60}}
  metrics:
  - type: Pods
    pods: {metric: {name: requests_per_second}, target: {type: AverageValue, averageValue: "3"}}
`

// The controller manager scales a Deployment by the request rate in a Prometheus: 10 a
// second, with a target of 3 for each pod, require 4 pods.
func TestAutoscaler(t *testing.T) {
	c := testcluster.Shared(t)
	c.KwokNodes(t, 1)
	ns := c.Namespace(t)
	c.Apply(t, fmt.Sprintf(web, ns))
	dynamic := c.Client().Dynamic
	var pod string
	require.Eventually(t, func() bool {
		list, err := dynamic.Resource(pods).Namespace(ns).List(t.Context(), metav1.ListOptions{})
		if err != nil || len(list.Items) != 1 {
			return false
		}
		pod = list.Items[0].GetName()
		phase, _, _ := unstructured.NestedString(list.Items[0].Object, "status", "phase")
		return phase == "Running"
	}, within, 50*time.Millisecond)

	query := `sum by (namespace, pod) (rate(http_requests_total[5s]))`
	prometheus := counting(t, 10, promengine.Target{Labels: map[string]string{"namespace": ns, "pod": pod}})
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	server, err := Start(ctx, Options{Client: c.Client(), Prometheus: prometheus, Metric: "requests_per_second", Query: query})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	require.Eventually(t, func() bool {
		list, err := server.values(ctx, ns, "*", "app=web")
		return err == nil && len(list.Items) == 1 && list.Items[0].Value.MilliValue() > 9_000
	}, within, 50*time.Millisecond)

	c.Apply(t, fmt.Sprintf(autoscaler, ns))
	deployments := schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	var status any
	require.Eventually(t, func() bool {
		hpa, err := dynamic.Resource(schema.GroupVersionResource{Group: "autoscaling", Version: "v2", Resource: "horizontalpodautoscalers"}).Namespace(ns).Get(ctx, "web", metav1.GetOptions{})
		if err == nil {
			status = hpa.Object["status"]
		}
		object, err := dynamic.Resource(deployments).Namespace(ns).Get(ctx, "web", metav1.GetOptions{})
		if err != nil {
			return false
		}
		replicas, _, _ := unstructured.NestedInt64(object.Object, "spec", "replicas")
		return replicas == 4
	}, within, 100*time.Millisecond, "%v", &status)
}

// counting runs a Prometheus that scrapes a counter with a fixed rate.
func counting(t *testing.T, perSecond float64, target promengine.Target) (url string) {
	t.Helper()
	began := time.Now()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, "# TYPE http_requests_total counter\nhttp_requests_total %f\n", perSecond*time.Since(began).Seconds())
	}))
	t.Cleanup(page.Close)
	engine, err := promengine.Open(promengine.Options{ScrapeInterval: time.Second, Log: hclog.NewNullLogger()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	target.Address = page.Listener.Addr().(*net.TCPAddr).String()
	require.NoError(t, engine.SetTargets("web", []promengine.Target{target}))
	api := httptest.NewServer(engine.Handler())
	t.Cleanup(api.Close)
	return api.URL
}

// The registration of another server is kept, and that of an earlier server of this package
// is taken over.
func TestAnotherServersRegistrationIsKept(t *testing.T) {
	c := testcluster.Shared(t)
	api := c.Client().Dynamic.Resource(apiServices)
	for name, row := range map[string]struct{ service, says string }{
		"an adapter's":  {"prometheus-adapter", "of the Service kube-system/prometheus-adapter"},
		"left behind":   {serviceName, ""},
		"not there yet": {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if row.service != "" {
				_, err := c.ApplyAs(t.Context(), row.service, fmt.Sprintf("apiVersion: apiregistration.k8s.io/v1\nkind: APIService\nmetadata: {name: %s}\nspec: {group: %s, version: %s, groupPriorityMinimum: 100, versionPriority: 100, insecureSkipTLSVerify: true, service: {namespace: kube-system, name: %s, port: 443}}\n", apiServiceName, group, version, row.service))
				require.NoError(t, err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), within)
			defer cancel()
			server, err := Start(ctx, Options{Client: c.Client(), Prometheus: "http://127.0.0.1:1", Metric: "requests_per_second", Query: "q"})
			if row.says != "" {
				require.ErrorContains(t, err, row.says)
				_, err := api.Get(ctx, apiServiceName, metav1.GetOptions{})
				require.NoError(t, err, "it is still there")
				require.NoError(t, api.Delete(ctx, apiServiceName, metav1.DeleteOptions{}))
				return
			}
			require.NoError(t, err)
			require.NoError(t, server.Close())
			_, err = api.Get(ctx, apiServiceName, metav1.GetOptions{})
			require.NoError(t, ignoreNotFound(err))
			require.Error(t, err)
		})
	}
}

// A series without a pod and two series of one pod are errors; pods without a finite value
// are left out.
func TestValues(t *testing.T) {
	c := testcluster.Shared(t)
	ns := c.Namespace(t)
	c.Apply(t, fmt.Sprintf("apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: %[1]s, labels: {app: web}}\nspec: {containers: [{name: c, image: none}]}\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: b, namespace: %[1]s}\nspec: {containers: [{name: c, image: none}]}\n", ns))
	var answer, warnings atomic.Value
	warnings.Store("")
	prometheus := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"status":"success",%s"data":{"resultType":"vector","result":[%s]}}`, warnings.Load(), answer.Load())
	}))
	t.Cleanup(prometheus.Close)
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	server, err := Start(ctx, Options{Client: c.Client(), Prometheus: prometheus.URL, Metric: "requests_per_second", Query: "q"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	series := func(labels, value string) string {
		return fmt.Sprintf(`{"metric":{%s},"value":[1,"%s"]}`, labels, value)
	}
	of := func(pod, value string) string {
		return series(fmt.Sprintf(`"namespace":%q,"pod":%q`, ns, pod), value)
	}
	for name, c := range map[string]struct {
		answer, name, selector string
		want                   map[string]int64
		says                   string
	}{
		"all":                     {of("a", "1.5") + "," + of("b", "0"), "*", "", map[string]int64{"a": 1500, "b": 0}, ""},
		"by selector":             {of("a", "1.5") + "," + of("b", "2"), "*", "app=web", map[string]int64{"a": 1500}, ""},
		"by name":                 {of("a", "1.5") + "," + of("b", "2"), "b", "", map[string]int64{"b": 2000}, ""},
		"no number":               {of("a", "NaN") + "," + of("b", "+Inf"), "*", "", map[string]int64{}, ""},
		"a pod that has gone":     {of("c", "1"), "*", "", map[string]int64{}, ""},
		"another namespace":       {series(`"namespace":"other","pod":"a"`, "1"), "*", "", map[string]int64{}, ""},
		"no pod":                  {series(`"namespace":"other"`, "1"), "*", "", nil, "labels namespace and pod"},
		"no namespace":            {series(`"pod":"a"`, "1"), "*", "", nil, "labels namespace and pod"},
		"one pod twice":           {of("a", "1") + "," + series(fmt.Sprintf(`"namespace":%q,"pod":"a","code":"200"`, ns), "2"), "*", "", nil, "two series of the pod a"},
		"a selector that is none": {"", "*", "=", nil, "found '='"},
	} {
		t.Run(name, func(t *testing.T) {
			answer.Store(c.answer)
			list, err := server.values(ctx, ns, c.name, c.selector)
			if c.says != "" {
				require.ErrorContains(t, err, c.says)
				return
			}
			require.NoError(t, err)
			got := map[string]int64{}
			for _, item := range list.Items {
				got[item.DescribedObject.Name] = item.Value.MilliValue()
			}
			require.Equal(t, c.want, got)
		})
	}
	warnings.Store(`"warnings":["a store is down"],`)
	_, err = server.values(ctx, ns, "*", "")
	require.ErrorContains(t, err, "a store is down")
}

package kubernetes

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/clusterview"
)

// bench is a namespace of the real cluster, and the verbs on it.
type bench struct {
	*Cluster
	admin *testcluster.Cluster
	ns    string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	c := testcluster.Shared(t)
	client, err := apiclient.FromConfig(c.Client().Config, "default", apiclient.Options{})
	require.NoError(t, err)
	return &bench{Cluster: &Cluster{Client: client, View: testView(t, clusterview.Options{Client: client}), Clock: engine.WallClock{}}, admin: c, ns: c.Namespace(t)}
}

// through returns the verbs on another connection, with the same View.
func (b *bench) through(client *apiclient.Client) *Cluster {
	return &Cluster{Client: client, View: b.View, Clock: b.Clock}
}

// on returns the resource of a kind, for writes of others.
func (b *bench) on(t *testing.T, apiVersion, kind string) dynamic.ResourceInterface {
	t.Helper()
	mapping, err := b.Client.Kinds.Find(apiVersion, kind)
	require.NoError(t, err)
	return b.admin.Client().Dynamic.Resource(mapping.Resource).Namespace(b.ns)
}

func (b *bench) deployments(t *testing.T) dynamic.ResourceInterface {
	return b.on(t, "apps/v1", "Deployment")
}

func objectOf(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(text))
	require.NoError(t, err)
	o := &unstructured.Unstructured{}
	require.NoError(t, json.Unmarshal(raw, &o.Object))
	return o
}

// create creates an object like `kubectl create`, or `kubectl apply` of a new object: an
// Update under its own manager.
func (b *bench) create(t *testing.T, manager, text string) *unstructured.Unstructured {
	t.Helper()
	o := objectOf(t, text)
	o.SetNamespace(b.ns)
	out, err := b.on(t, o.GetAPIVersion(), o.GetKind()).Create(testContext(t), o, metav1.CreateOptions{FieldManager: manager})
	require.NoError(t, err)
	return out
}

// merge sends a merge patch, like a client-side `kubectl apply`, `edit` or `set`.
func (b *bench) merge(t *testing.T, manager, apiVersion, kind, name, fields string) {
	t.Helper()
	_, err := b.on(t, apiVersion, kind).Patch(testContext(t), name, types.MergePatchType, []byte(fields), metav1.PatchOptions{FieldManager: manager})
	require.NoError(t, err)
}

// serverSide is a server-side apply, as `kubectl apply --server-side` sends it.
func (b *bench) serverSide(t *testing.T, manager string, force bool, text string) error {
	t.Helper()
	o := objectOf(t, text)
	o.SetNamespace(b.ns)
	_, err := b.on(t, o.GetAPIVersion(), o.GetKind()).Apply(testContext(t), o.GetName(), o, metav1.ApplyOptions{FieldManager: manager, Force: force})
	return err
}

// rescale sends what `kubectl scale` and the autoscaler's controller send: an Update of
// the scale subresource.
func (b *bench) rescale(t *testing.T, manager, name string, replicas int64) {
	t.Helper()
	require.Eventually(t, func() bool {
		scale, err := b.deployments(t).Get(testContext(t), name, metav1.GetOptions{}, "scale")
		require.NoError(t, err)
		require.NoError(t, unstructured.SetNestedField(scale.Object, replicas, "spec", "replicas"))
		_, err = b.deployments(t).Update(testContext(t), scale, metav1.UpdateOptions{FieldManager: manager}, "scale")
		return err == nil
	}, patience, 20*time.Millisecond, "a status may come between")
}

func (b *bench) read(t *testing.T, apiVersion, kind, name string) *unstructured.Unstructured {
	t.Helper()
	o, err := b.on(t, apiVersion, kind).Get(testContext(t), name, metav1.GetOptions{})
	require.NoError(t, err)
	return o
}

// replicasOf returns a Deployment's desired replicas.
func (b *bench) replicasOf(t *testing.T, name string) int64 {
	t.Helper()
	n, _, err := unstructured.NestedInt64(b.read(t, "apps/v1", "Deployment", name).Object, "spec", "replicas")
	require.NoError(t, err)
	return n
}

// settled waits until the controllers have written what they will into a status, and
// the informer has seen it; the target is as a fleet gives it.
func (b *bench) settled(t *testing.T, apiVersion, kind, name string) engine.Target {
	t.Helper()
	f, err := b.View.Fleet(engine.Selector{APIVersion: apiVersion, Kind: kind, Namespace: b.ns})
	require.NoError(t, err)
	targetsOf(t, f)
	id := engine.TargetID{Kind: kind, Namespace: b.ns, Name: name}
	soon(t, name+" is at rest", func() bool {
		o := b.read(t, apiVersion, kind, name)
		seen, reports, _ := unstructured.NestedInt64(o.Object, "status", "observedGeneration")
		if kind != "Widget" && (!reports || seen < o.GetGeneration()) {
			return false
		}
		current, _, _ := unstructured.NestedInt64(o.Object, "status", "replicas")
		wanted, sized, _ := unstructured.NestedInt64(o.Object, "spec", "replicas")
		if kind == "Deployment" && sized && current < wanted { // more while a rollout surges
			return false
		}
		if s, scalable := b.View.Scalable(id); scalable {
			return s.ResourceVersion == o.GetResourceVersion()
		}
		return slices.ContainsFunc(targetsOf(t, f), func(target engine.Target) bool { return target.ID() == id })
	})
	for _, target := range targetsOf(t, f) {
		if target.ID() == id {
			return target
		}
	}
	t.Fatalf("no target %s", id)
	return engine.Target{}
}

// after is a time of our last write.
var after = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func proposal(verb string, target engine.Target, with map[string]any) engine.Proposal {
	return engine.Proposal{Agent: "a/b", Target: target, Strategy: "s", Primitive: verb, With: with, Identity: "0123456789abcdef"}
}

func again(p engine.Proposal) engine.Proposal {
	p.Written = after
	return p
}

// later is a proposal of an agent that has just done the same.
func later(p engine.Proposal) engine.Proposal {
	p.Written = time.Now()
	return p
}

// anotherSecond waits until the clock of managedFields, which counts seconds, moves.
func anotherSecond(t *testing.T) {
	t.Helper()
	now := time.Now().Unix()
	soon(t, "the next second", func() bool { return time.Now().Unix() > now })
}

// done plans and applies.
func done(t *testing.T, a engine.Actuator, p engine.Proposal) engine.Change {
	t.Helper()
	change, err := a.Plan(testContext(t), p)
	require.NoError(t, err)
	require.False(t, change.NoOp, change.Diff)
	_, err = a.Apply(testContext(t), change)
	require.NoError(t, err)
	noteRan(change, false)
	return change
}

func plannedOf(t *testing.T, a engine.Actuator, p engine.Proposal) engine.Change {
	t.Helper()
	change, err := a.Plan(testContext(t), p)
	require.NoError(t, err)
	return change
}

// proxy is a real HTTP server in front of the API server, which may spoil requests.
type proxy struct {
	mu    sync.Mutex
	spoil func(w http.ResponseWriter, r *http.Request, forward func(http.ResponseWriter)) bool
	seen  map[string]int // writes that it passed on, by path
}

// behind is a client whose requests pass a proxy. spoil returns false for a request
// that shall pass.
func (b *bench) behind(t *testing.T, spoil func(w http.ResponseWriter, r *http.Request, forward func(http.ResponseWriter)) bool) (*Cluster, *proxy) {
	t.Helper()
	transport, err := rest.TransportFor(b.admin.Client().Config)
	require.NoError(t, err)
	server, err := url.Parse(b.admin.URL())
	require.NoError(t, err)
	p := &proxy{spoil: spoil, seen: map[string]int{}}
	reverse := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(server) }, Transport: transport}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		forward := func(w http.ResponseWriter) {
			p.mu.Lock()
			p.seen[r.Method]++
			p.mu.Unlock()
			reverse.ServeHTTP(w, r)
		}
		if !p.spoil(w, r, forward) {
			forward(w)
		}
	}))
	t.Cleanup(s.Close)
	client, err := apiclient.FromConfig(&rest.Config{Host: s.URL}, "default", apiclient.Options{})
	require.NoError(t, err)
	return b.through(client), p
}

func (p *proxy) passed(method string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen[method]
}

// lost passes the first write on, and hangs up in place of its answer.
func lost() func(http.ResponseWriter, *http.Request, func(http.ResponseWriter)) bool {
	var once sync.Once
	return func(w http.ResponseWriter, r *http.Request, forward func(http.ResponseWriter)) bool {
		spoiled := false
		if r.Method == http.MethodPatch {
			once.Do(func() {
				spoiled = true
				forward(httptest.NewRecorder())
				conn, _, err := http.NewResponseController(w).Hijack()
				if err == nil {
					_ = conn.Close()
				}
			})
		}
		return spoiled
	}
}

// answers gives every write an answer of its own, and passes none on.
func answers(code int) func(http.ResponseWriter, *http.Request, func(http.ResponseWriter)) bool {
	return func(w http.ResponseWriter, r *http.Request, _ func(http.ResponseWriter)) bool {
		if r.Method != http.MethodPatch {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(code)
		return true
	}
}

// between runs f before the first write is passed on.
func between(f func()) func(http.ResponseWriter, *http.Request, func(http.ResponseWriter)) bool {
	var once sync.Once
	return func(_ http.ResponseWriter, r *http.Request, _ func(http.ResponseWriter)) bool {
		if r.Method == http.MethodPatch {
			once.Do(f)
		}
		return false
	}
}

// widgets installs a kind of our own with a scale subresource.
func (b *bench) widgets(t *testing.T) {
	t.Helper()
	b.admin.Apply(t, `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.widgets.example.com}
spec:
  group: widgets.example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget, listKind: WidgetList}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}, scale: {specReplicasPath: .spec.workers, statusReplicasPath: .status.workers}}
    schema:
      openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}
`)
	soon(t, "widgets are served", func() bool {
		_, err := b.Client.Dynamic.Resource(schema.GroupVersionResource{Group: "widgets.example.com", Version: "v1", Resource: "widgets"}).List(context.Background(), metav1.ListOptions{})
		return err == nil
	})
}

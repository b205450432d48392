package apiclient_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

func TestMain(m *testing.M) { testcluster.Main(m) }

var configMaps = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}

func configMap(name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name}}}
}

// A write is not even sent once the process may write no more; reads go on.
func TestAFencedClientReadsAndDoesNotWrite(t *testing.T) {
	c := testcluster.Shared(t)
	ns := c.Namespace(t)
	var deposed atomic.Bool
	fenced, err := c.Client().Fenced(func() error {
		if deposed.Load() {
			return errors.New("another leads")
		}
		return nil
	})
	require.NoError(t, err)
	maps := fenced.Dynamic.Resource(configMaps).Namespace(ns)
	_, err = maps.Create(t.Context(), configMap("one"), metav1.CreateOptions{})
	require.NoError(t, err)

	deposed.Store(true)
	_, err = maps.Create(t.Context(), configMap("two"), metav1.CreateOptions{})
	require.ErrorIs(t, err, apiclient.ErrDeposed)
	require.ErrorIs(t, maps.Delete(t.Context(), "one", metav1.DeleteOptions{}), apiclient.ErrDeposed)
	require.True(t, engine.IsRetryable(apiclient.Classify(err)), "what became of it, the next leader finds out")
	list, err := maps.List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	names := []string{}
	for _, o := range list.Items {
		names = append(names, o.GetName())
	}
	require.Contains(t, names, "one")
	require.NotContains(t, names, "two")
	_, err = c.Client().Dynamic.Resource(configMaps).Namespace(ns).Create(t.Context(), configMap("three"), metav1.CreateOptions{})
	require.NoError(t, err, "the fence is of that client alone")
}

// An object or a namespace may be called "watch": a write to it is no stream, which
// passes the gate unasked.
func TestWhatIsCalledWatchIsFencedToo(t *testing.T) {
	var sent atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		sent.Add(1)
		w.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(server.Close)
	open, err := apiclient.FromConfig(&rest.Config{Host: server.URL}, "default", apiclient.Options{})
	require.NoError(t, err)
	c, err := open.Fenced(func() error { return errors.New("another leads") })
	require.NoError(t, err)
	deployments := schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	patch := []byte(`{"spec":{"replicas":3}}`)
	_, err = c.Dynamic.Resource(deployments).Namespace("models").Patch(t.Context(), "watch", types.MergePatchType, patch, metav1.PatchOptions{}, "scale")
	require.ErrorIs(t, err, apiclient.ErrDeposed)
	_, err = c.Dynamic.Resource(deployments).Namespace("watch").Patch(t.Context(), "web", types.MergePatchType, patch, metav1.PatchOptions{})
	require.ErrorIs(t, err, apiclient.ErrDeposed)
	require.Zero(t, sent.Load())
}

// slow is an API server whose answers the test releases.
type slow struct {
	*httptest.Server
	release      chan struct{}
	mu           sync.Mutex
	under, worst int
}

func newSlow(t *testing.T) *slow {
	s := &slow{release: make(chan struct{})}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.under++
		s.worst = max(s.worst, s.under)
		s.mu.Unlock()
		select {
		case <-s.release:
		case <-r.Context().Done():
		}
		s.mu.Lock()
		s.under--
		s.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"}}`)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *slow) now() int { s.mu.Lock(); defer s.mu.Unlock(); return s.under }

// The client throttles only by its bound on concurrent requests: a hundred requests are sent as
// fast as they are answered, eight at a time.
func TestTheOnlyThrottleIsTheBoundOnConcurrency(t *testing.T) {
	server := newSlow(t)
	client, err := apiclient.FromConfig(&rest.Config{Host: server.URL, QPS: 5, Burst: 10}, "ns", apiclient.Options{Concurrency: 8})
	require.NoError(t, err)
	require.EqualValues(t, -1, client.Config.QPS)
	require.Nil(t, client.Config.RateLimiter)
	var requests sync.WaitGroup
	var failed atomic.Int64
	for range 100 {
		requests.Go(func() {
			if _, err := client.Dynamic.Resource(configMaps).Namespace("ns").Get(context.Background(), "x", metav1.GetOptions{}); err != nil {
				failed.Add(1)
			}
		})
	}
	require.Eventually(t, func() bool { return server.now() == 8 }, 10*time.Second, time.Millisecond)
	close(server.release)
	requests.Wait()
	require.Zero(t, failed.Load())
	require.Equal(t, 8, server.worst)
	require.EqualValues(t, 100, client.Requests()[http.MethodGet])
}

// A request that waits for its turn gives up with its context, and one that is
// never answered with its timeout; neither keeps its room.
func TestARequestWaitsNoLongerThanItMay(t *testing.T) {
	server := newSlow(t)
	client, err := apiclient.FromConfig(&rest.Config{Host: server.URL}, "ns", apiclient.Options{Concurrency: 1, Timeout: 300 * time.Millisecond})
	require.NoError(t, err)
	get := func(ctx context.Context) error {
		_, err := client.Dynamic.Resource(configMaps).Namespace("ns").Get(ctx, "x", metav1.GetOptions{})
		return err
	}
	first := make(chan error, 1)
	go func() { first <- get(t.Context()) }()
	require.Eventually(t, func() bool { return server.now() == 1 }, 10*time.Second, time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, get(ctx), context.Canceled)
	err = <-first
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.True(t, engine.IsRetryable(apiclient.Classify(err)))
	close(server.release)
	require.NoError(t, get(t.Context()), "the room is free again")
}

func TestWhichErrorsMayPass(t *testing.T) {
	thing := schema.GroupResource{Resource: "things"}
	for name, row := range map[string]struct {
		err    error
		passes bool
	}{
		"busy":        {apierrors.NewTooManyRequests("wait", 1), true},
		"failing":     {apierrors.NewInternalError(errors.New("etcd")), true},
		"away":        {apierrors.NewServiceUnavailable("etcd"), true},
		"slow":        {apierrors.NewTimeoutError("slow", 1), true},
		"who are you": {apierrors.NewUnauthorized("expired"), true},
		"conflict":    {apierrors.NewConflict(thing, "x", errors.New("moved")), false},
		"forbidden":   {apierrors.NewForbidden(thing, "x", errors.New("no")), false},
		"missing":     {apierrors.NewNotFound(thing, "x"), false},
		"invalid":     {apierrors.NewBadRequest("what?"), false},
		"deposed":     {fmt.Errorf("write: %w", apiclient.ErrDeposed), true},
		"our own":     {errors.New("a bug"), false},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, row.passes, engine.IsRetryable(apiclient.Classify(fmt.Errorf("scale: %w", row.err))))
			require.ErrorIs(t, apiclient.Classify(row.err), row.err)
		})
	}
	require.NoError(t, apiclient.Classify(nil))
	client, err := apiclient.FromConfig(&rest.Config{Host: "http://127.0.0.1:1"}, "ns", apiclient.Options{})
	require.NoError(t, err)
	require.True(t, engine.IsRetryable(apiclient.Classify(client.Reach(t.Context()))), "nobody listens there")
}

const thingDefinition = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.kube-test.example.org}
spec:
  group: kube-test.example.org
  scope: Namespaced
  names: {kind: Thing, plural: things, singular: thing, listKind: ThingList}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
`

func TestAKindIsFoundOnceItIsInstalled(t *testing.T) {
	c := testcluster.Shared(t)
	client, err := apiclient.New(apiclient.Options{Kubeconfig: c.Kubeconfig()})
	require.NoError(t, err)
	mapping, err := client.Kinds.Find("apps/v1", "Deployment")
	require.NoError(t, err)
	require.Equal(t, "deployments", mapping.Resource.Resource)
	_, err = client.Kinds.Find("kube-test.example.org/v1", "Thing")
	require.True(t, apiclient.Missing(err), "%v", err)
	require.ErrorContains(t, err, "the cluster has no kind Thing of kube-test.example.org/v1; install")
	c.Apply(t, thingDefinition)
	other, err := apiclient.New(apiclient.Options{Kubeconfig: c.Kubeconfig()})
	require.NoError(t, err)
	require.Eventually(t, func() bool { _, err := other.Kinds.Find("kube-test.example.org/v1", "Thing"); return err == nil }, 30*time.Second, 50*time.Millisecond)
	require.Eventually(t, func() bool { _, err := client.Kinds.Find("kube-test.example.org/v1", "Thing"); return err == nil }, 30*time.Second, 50*time.Millisecond,
		"and by one that had asked before")
}

// The error of a malformed kubeconfig does not quote its content.
func TestAKubeconfigThatIsNoneIsNotRepeated(t *testing.T) {
	for name, text := range map[string]string{
		"no YAML":    "token: s3cret\n\t- x",
		"no context": "apiVersion: v1\nkind: Config\nusers: [{name: a, user: {token: s3cret}}]\ncurrent-context: gone\n",
		"two tokens": "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: 'https://h', certificate-authority-data: czNjcmV0}}]\ncontexts: [{name: x, context: {cluster: c, user: a}}]\ncurrent-context: x\nusers: [{name: a, user: {token: s3cret, client-certificate-data: czNjcmV0}}]\n",
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "config")
			require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
			_, err := apiclient.New(apiclient.Options{Kubeconfig: file})
			require.Error(t, err)
			require.NotContains(t, err.Error(), "s3cret")
			require.ErrorContains(t, err, "pass --kubeconfig FILE")
		})
	}
	_, err := apiclient.New(apiclient.Options{Kubeconfig: filepath.Join(t.TempDir(), "none")})
	require.ErrorContains(t, err, "no such file")
}

package apiclient_test

import (
	"fmt"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/hosts"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// handClock stands still until it is moved.
type handClock struct {
	engine.WallClock
	mu  sync.Mutex
	now time.Time
}

func (c *handClock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }

func (c *handClock) forward(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.now = c.now.Add(d) }

// there is an address, and anywhere a list that allows it.
var there = &url.URL{Scheme: "https", Host: "api.example.com", Path: "/v1"}

func anywhere(t *testing.T) hosts.List {
	t.Helper()
	list, err := hosts.Parse("api.example.com")
	require.NoError(t, err)
	return list
}

func applySecret(t *testing.T, c *testcluster.Cluster, namespace, name, data string) {
	t.Helper()
	c.Apply(t, fmt.Sprintf("{apiVersion: v1, kind: Secret, metadata: {name: %s, namespace: %s}, stringData: {%s}}", name, namespace, data))
}

func TestASecretIsReadNowAndThen(t *testing.T) {
	c := testcluster.Shared(t)
	ns := c.Namespace(t)
	client, err := apiclient.New(apiclient.Options{Kubeconfig: c.Kubeconfig()})
	require.NoError(t, err)
	clock := &handClock{now: time.Now()}
	secrets := apiclient.NewSecrets(client, clock, anywhere(t))
	read := func(name, key string) (string, error) { return secrets.Read(t.Context(), ns, name, key, there) }

	_, err = read("hook", "token")
	require.EqualError(t, err, fmt.Sprintf(`key "token" of Secret %s/hook: there is no such Secret; create it in the agent's namespace`, ns))
	applySecret(t, c, ns, "hook", `token: "  one\n", blank: " ", other: b`)
	_, err = read("hook", "token")
	require.ErrorContains(t, err, "there is no such Secret", "not asked again at once")
	clock.forward(2 * time.Second)
	before := client.Requests()["GET"]
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			got, err := read("hook", "token")
			assert.NoError(t, err)
			assert.Equal(t, "one", got, "without white space")
		})
	}
	all.Wait()
	other, err := read("hook", "other")
	require.NoError(t, err)
	require.Equal(t, "b", other)
	require.Equal(t, before+1, client.Requests()["GET"], "one request for all of them")

	for key, says := range map[string]string{
		"none":  fmt.Sprintf(`the Secret %s/hook has no key "none"; add it, or name another`, ns),
		"blank": fmt.Sprintf(`key "blank" of Secret %s/hook is empty`, ns),
	} {
		_, err := read("hook", key)
		require.EqualError(t, err, says)
		require.False(t, engine.IsRetryable(err))
	}
	_, err = read("", "token")
	require.ErrorContains(t, err, "without a name")

	applySecret(t, c, ns, "hook", "token: two")
	clock.forward(29 * time.Second)
	got, err := read("hook", "token")
	require.NoError(t, err)
	require.Equal(t, "one", got)
	clock.forward(time.Second)
	got, err = read("hook", "token")
	require.NoError(t, err)
	require.Equal(t, "two", got)

	require.NoError(t, c.Client().Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "secrets"}).Namespace(ns).Delete(t.Context(), "hook", metav1.DeleteOptions{}))
	clock.forward(30 * time.Second)
	_, err = read("hook", "token")
	require.ErrorContains(t, err, "there is no such Secret", "one that was deleted is not used on")
}

func TestASecretThatIsNotAllowed(t *testing.T) {
	c := testcluster.Shared(t)
	ns := c.Namespace(t)
	applySecret(t, c, ns, "hook", "token: hunter2")
	client, err := apiclient.New(apiclient.Options{Kubeconfig: c.KubeconfigFor(t, ns, "nobody")})
	require.NoError(t, err)
	_, err = apiclient.NewSecrets(client, engine.WallClock{}, anywhere(t)).Read(t.Context(), ns, "hook", "token", there)
	require.EqualError(t, err, fmt.Sprintf(`key "token" of Secret %s/hook: this process may not read it; print its roles anew with scanflow rbac, and apply them`, ns))
	require.False(t, engine.IsRetryable(err))
}

// While the API server is away, what was read last is used for ten minutes more, so
// that sensing goes on.
func TestSecretsWhileTheAPIServerIsAway(t *testing.T) {
	c := testcluster.New(t)
	ns := c.Namespace(t)
	applySecret(t, c, ns, "hook", "token: hunter2")
	clock := &handClock{now: time.Now()}
	secrets := apiclient.NewSecrets(c.Client(), clock, anywhere(t))
	got, err := secrets.Read(t.Context(), ns, "hook", "token", there)
	require.NoError(t, err)
	require.Equal(t, "hunter2", got)
	c.StopAPIServer(t)
	for range 10 {
		clock.forward(time.Minute)
		got, err = secrets.Read(t.Context(), ns, "hook", "token", there)
		require.NoError(t, err)
		require.Equal(t, "hunter2", got)
	}
	clock.forward(time.Minute)
	_, err = secrets.Read(t.Context(), ns, "hook", "token", there)
	require.ErrorContains(t, err, fmt.Sprintf(`key "token" of Secret %s/hook: ask the API server`, ns))
	require.NotContains(t, err.Error(), "hunter2")
	require.True(t, engine.IsRetryable(err))

	c.StartAPIServer(t)
	require.EventuallyWithT(t, func(a *assert.CollectT) {
		clock.forward(3 * time.Second)
		got, err := secrets.Read(t.Context(), ns, "hook", "token", there)
		require.NoError(a, err)
		require.Equal(a, "hunter2", got)
	}, 20*time.Second, 50*time.Millisecond)
}

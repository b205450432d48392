package apiclient_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// A 401 of the real API server names who asked for what, whichever client sends the request.
func TestA401SaysWhoAskedForWhat(t *testing.T) {
	c := testcluster.Shared(t)
	token := func(claims string) string {
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
	}
	ctx := t.Context()
	agents := schema.GroupVersionResource{Group: "scanflow.dev", Version: "v1alpha1", Resource: "agents"}
	object := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "x"}}}
	const valid = `the token of User "system:serviceaccount:ns:scanflow", which is valid until 2100-01-01T00:00:00Z and was revoked or lost its account`
	account := token(`{"sub":"system:serviceaccount:ns:scanflow","exp":4102444800}`)
	for name, row := range map[string]struct {
		token string
		ask   func(*apiclient.Client) error
		who   string
		what  string
	}{
		"get": {account, func(c *apiclient.Client) error {
			_, err := c.Dynamic.Resource(configMaps).Namespace("ns").Get(ctx, "x", metav1.GetOptions{})
			return err
		}, valid, `get resource "configmaps" in API group "" in the namespace "ns"`},
		"list in all namespaces": {account, func(c *apiclient.Client) error {
			_, err := c.Dynamic.Resource(agents).List(ctx, metav1.ListOptions{})
			return err
		}, valid, `list resource "agents" in API group "scanflow.dev"`},
		"watch": {account, func(c *apiclient.Client) error {
			_, err := c.Dynamic.Resource(agents).Namespace("ns").Watch(ctx, metav1.ListOptions{})
			return err
		}, valid, `watch resource "agents" in API group "scanflow.dev" in the namespace "ns"`},
		"create": {account, func(c *apiclient.Client) error {
			_, err := c.Dynamic.Resource(configMaps).Namespace("ns").Create(ctx, object, metav1.CreateOptions{})
			return err
		}, valid, `create resource "configmaps" in API group "" in the namespace "ns"`},
		"patch of a subresource": {account, func(c *apiclient.Client) error {
			_, err := c.Dynamic.Resource(agents).Namespace("ns").Patch(ctx, "x", types.MergePatchType, []byte("{}"), metav1.PatchOptions{}, "status")
			return err
		}, valid, `patch resource "agents/status" in API group "scanflow.dev" in the namespace "ns"`},
		"a typed client": {account, func(c *apiclient.Client) error {
			typed, err := coordination.NewForConfig(c.Config)
			require.NoError(t, err)
			_, err = typed.Leases("ns").Get(ctx, "scanflow", metav1.GetOptions{})
			return err
		}, valid, `get resource "leases" in API group "coordination.k8s.io" in the namespace "ns"`},
		"a path":                 {account, func(c *apiclient.Client) error { return c.Reach(ctx) }, valid, `get path "/version"`},
		"a kind":                 {account, func(c *apiclient.Client) error { _, err := c.Kinds.Find("scanflow.dev/v1alpha1", "Ledger"); return err }, valid, `get path "/api`},
		"an expired token":       {token(`{"sub":"a","exp":1000000000}`), func(c *apiclient.Client) error { return c.Reach(ctx) }, `the token of User "a", which expired at 2001-09-09T01:46:40Z`, ""},
		"a token without an end": {token(`{"sub":"a"}`), func(c *apiclient.Client) error { return c.Reach(ctx) }, `the token of User "a" (401`, ""},
		"a token that is no JWT": {"opaque-s3cret", func(c *apiclient.Client) error { return c.Reach(ctx) }, "the token (401", ""},
		"claims that are none":   {token(`[`), func(c *apiclient.Client) error { return c.Reach(ctx) }, "the token (401", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := rest.AnonymousClientConfig(c.Client().Config)
			config.WrapTransport, config.BearerToken = nil, row.token
			client, err := apiclient.FromConfig(config, "ns", apiclient.Options{Concurrency: 1})
			require.NoError(t, err)
			for range 2 { // the slot of the first request is free again
				err = row.ask(client)
				require.True(t, apierrors.IsUnauthorized(err), "%v", err)
				require.Equal(t, apiclient.Unauthorized, apiclient.ReasonOf(fmt.Errorf("ask: %w", err)))
				require.ErrorContains(t, err, "the API server does not accept "+row.who)
				require.ErrorContains(t, err, "(401 Unauthorized): can't "+row.what)
				require.NotContains(t, err.Error(), row.token)
			}
		})
	}
}

func TestReasons(t *testing.T) {
	thing := schema.GroupResource{Resource: "things"}
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer slow.Close()
	request := func(host string) error {
		client, err := apiclient.FromConfig(&rest.Config{Host: host}, "ns", apiclient.Options{Timeout: 50 * time.Millisecond})
		require.NoError(t, err)
		return client.Reach(t.Context())
	}
	for name, row := range map[string]struct {
		err  error
		want apiclient.Reason
	}{
		"no error":              {nil, ""},
		"403":                   {apierrors.NewForbidden(thing, "x", errors.New("no")), apiclient.Forbidden},
		"401":                   {apierrors.NewUnauthorized("who?"), apiclient.Unauthorized},
		"404":                   {apierrors.NewNotFound(thing, "x"), apiclient.NotThere},
		"no kind":               {&apiclient.MissingKindError{}, apiclient.NotThere},
		"429":                   {apierrors.NewTooManyRequests("wait", 1), apiclient.Failing},
		"500":                   {apierrors.NewInternalError(errors.New("etcd")), apiclient.Failing},
		"504":                   {apierrors.NewTimeoutError("slow", 1), apiclient.TimedOut},
		"409":                   {apierrors.NewConflict(thing, "x", errors.New("moved")), apiclient.Other},
		"nobody listens":        {request("http://127.0.0.1:1"), apiclient.Unreachable},
		"no such host":          {request("http://api.invalid"), apiclient.Unreachable},
		"nobody answers":        {request(slow.URL), apiclient.TimedOut},
		"the caller's patience": {fmt.Errorf("ask: %w", context.DeadlineExceeded), apiclient.TimedOut},
		"anything else":         {errors.New("x"), apiclient.Other},
	} {
		t.Run(name, func(t *testing.T) {
			got := apiclient.ReasonOf(row.err)
			require.Equal(t, row.want, got, "%v", row.err)
			if got != "" {
				require.Contains(t, apiclient.Reasons(), got)
			}
		})
	}
}

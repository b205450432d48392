package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// Defect 6 of the published system: every agent ran as cluster-admin, and its API
// did not authenticate its callers. Here an agent acts with the few rights that
// `scanflow rbac` prints. The API server refuses every other request, even if a policy
// proposes it, and the API returns nothing without its token.
func TestDefect6NoMoreRightsThanNeededAndNoAPIWithoutAToken(t *testing.T) {
	t.Parallel()
	s := newStage(t, testcluster.Shared(t), followAgent)
	s.apply(webDeployment)
	s.rolledOut("web")
	s.wants(2)
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte("s3cret-token\n"), 0o600))
	d := s.daemon("--listen", "0.0.0.0:0", "--token-file", token)
	d.url = strings.Replace(d.url, "[::]", "127.0.0.1", 1)

	s.apply(followAgent)
	s.scaledTo("web", 2)
	require.NotContains(t, strings.ToLower(d.text()), "forbidden")

	// The rights themselves.
	client, err := apiclient.New(apiclient.Options{Kubeconfig: s.config})
	require.NoError(t, err)
	reviews, err := authorizationclient.NewForConfig(client.Config)
	require.NoError(t, err)
	for _, ask := range []authorizationv1.ResourceAttributes{
		{Verb: "*", Group: "*", Resource: "*"},
		{Verb: "list", Resource: "secrets"},
		{Verb: "list", Resource: "pods"},
		{Verb: "list", Group: "apps", Resource: "deployments"},
		{Verb: "get", Resource: "secrets", Namespace: s.namespace},
		{Verb: "create", Resource: "pods", Subresource: "exec", Namespace: s.namespace},
		{Verb: "create", Group: "rbac.authorization.k8s.io", Resource: "rolebindings", Namespace: s.namespace},
		{Verb: "impersonate", Resource: "users"},
		{Verb: "update", Group: "scanflow.dev", Resource: "agents", Namespace: s.namespace},
		{Verb: "patch", Group: "apps", Resource: "deployments", Namespace: "default", Subresource: "scale"},
	} {
		review, err := reviews.SelfSubjectAccessReviews().Create(t.Context(), &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &ask}}, metav1.CreateOptions{})
		require.NoError(t, err)
		require.False(t, review.Status.Allowed, "%+v", ask)
	}
	deployments := client.Dynamic.Resource(deploymentsResource).Namespace(s.namespace)
	_, err = deployments.Patch(t.Context(), "web", types.MergePatchType, []byte(`{"spec":{"paused":true}}`), metav1.PatchOptions{})
	require.True(t, apierrors.IsForbidden(err), "%v", err)
	require.True(t, apierrors.IsForbidden(deployments.Delete(t.Context(), "web", metav1.DeleteOptions{})))

	// An agent that is made to ask for one verb more gets nowhere with it, and says so.
	s.policy("restart", strings.NewReplacer("t.follow", "t.restart", `"scale"`, `"restart"`, `{"replicas": input.signals.want.value}`, "{}").Replace(followPolicy))
	s.apply(strings.NewReplacer("[t.follow]", "[t.restart]", "[scale]", "[restart]").Replace(followAgent))
	d.said(`"strategies":["t.restart"]`) // until its policies are judged, the agent goes on as it was
	before := s.get(deploymentsResource, "web").GetGeneration()
	s.wants(3)
	s.until("the refusal is told on the target", func() bool {
		return strings.Contains(s.events("web"), "Warning Restart") && strings.Contains(s.events("web"), "forbidden")
	})
	require.Equal(t, before, s.get(deploymentsResource, "web").GetGeneration())

	// The API: who does not say who they are sees health and metrics alone.
	asks := func(path, authorization string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.url+path, nil)
		require.NoError(t, err)
		if authorization != "" {
			req.Header.Set("Authorization", authorization)
		}
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		return res.StatusCode
	}
	for _, path := range []string{"/v1/agents", "/v1/policies", "/v1/decisions"} {
		require.Equal(t, http.StatusUnauthorized, asks(path, ""), path)
		require.Equal(t, http.StatusUnauthorized, asks(path, "Bearer another"), path)
		require.Equal(t, http.StatusUnauthorized, asks(path, "s3cret-token"), path)
		require.Equal(t, http.StatusOK, asks(path, "Bearer s3cret-token"), path)
	}
	require.Equal(t, http.StatusOK, asks("/metrics", ""))
	require.Equal(t, http.StatusOK, asks("/healthz", ""))
	require.NotContains(t, d.text(), "s3cret-token")
	d.stop()

	// Without a token every request is refused.
	d = s.daemon("--listen", "0.0.0.0:0")
	d.url = strings.Replace(d.url, "[::]", "127.0.0.1", 1)
	require.Equal(t, http.StatusForbidden, asks("/v1/agents", ""))
	require.Equal(t, http.StatusForbidden, asks("/v1/agents", "Bearer s3cret-token"))
	d.stop()
}

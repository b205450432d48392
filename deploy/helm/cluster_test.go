package helm_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// Whoever has the cluster's role view or edit in a namespace may read its agents, and with
// rbac.aggregate.edit those with the role edit may write them.
func TestAggregatedRoles(t *testing.T) {
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "agents", "ledgers")
	namespace := c.Namespace(t)
	for _, role := range []string{"view", "edit", "admin"} {
		c.Apply(t, fmt.Sprintf(`{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: %[1]s, namespace: %[2]s},
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: %[1]s}, subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: %[1]s-%[2]s}]}`, role, namespace))
	}
	reviews, err := authorizationclient.NewForConfig(c.Client().Config)
	require.NoError(t, err)
	may := func(role, verb, resource string) bool {
		review, err := reviews.SubjectAccessReviews().Create(t.Context(), &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: role + "-" + namespace, ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: verb, Group: "scanflow.dev", Resource: resource, Namespace: namespace},
		}}, metav1.CreateOptions{})
		require.NoError(t, err)
		return review.Status.Allowed
	}
	roles := schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"}
	for _, edits := range []bool{false, true} {
		text := render(t, namespace, "--skip-tests", "--set", fmt.Sprintf("rbac.aggregate.edit=%t", edits), "--show-only", "templates/aggregate.yaml")
		c.Apply(t, text)
		for _, o := range objects(t, text)["ClusterRole"] {
			if edits {
				t.Cleanup(func() { c.Delete(t, roles, "", o.GetName()) })
			}
		}
		require.Eventually(t, func() bool { // a controller aggregates them
			return may("view", "list", "agents") && may("edit", "create", "agents") == edits && may("admin", "create", "agents") == edits
		}, 20*time.Second, 50*time.Millisecond, "edit: %t", edits)
		require.True(t, may("edit", "watch", "agents"))
		require.False(t, may("view", "create", "agents"))
		require.False(t, may("admin", "patch", "agents/status"), "the process alone writes it")
		require.False(t, may("admin", "get", "ledgers"), "they have what events carry")
	}
}

// The requests of the release's account, and no others, are of its FlowSchema and priority level.
func TestTheFlowSchema(t *testing.T) {
	c := testcluster.Shared(t)
	namespace := c.Namespace(t)
	text := render(t, namespace, "--set", "flowSchema.enabled=true", "--show-only", "templates/flowschema.yaml")
	c.Apply(t, text)
	flow := schema.GroupVersionResource{Group: "flowcontrol.apiserver.k8s.io", Version: "v1", Resource: "flowschemas"}
	level := flow
	level.Resource = "prioritylevelconfigurations"
	name := namespace + "-test-scanflow"
	t.Cleanup(func() { c.Delete(t, flow, "", name); c.Delete(t, level, "", name) })
	want := string(get(t, c, flow, "", name).GetUID()) + " " + string(get(t, c, level, "", name).GetUID())
	classified := func(account string) string {
		client, err := apiclient.New(apiclient.Options{Kubeconfig: c.KubeconfigFor(t, namespace, account)})
		require.NoError(t, err)
		transport, err := rest.TransportFor(client.Config)
		require.NoError(t, err)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.URL()+"/api/v1/namespaces/"+namespace+"/pods", nil)
		require.NoError(t, err)
		resp, err := transport.RoundTrip(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.Header.Get("X-Kubernetes-PF-FlowSchema-UID") + " " + resp.Header.Get("X-Kubernetes-PF-PriorityLevel-UID")
	}
	require.Eventually(t, func() bool { return classified("test-scanflow") == want }, 20*time.Second, 100*time.Millisecond)
	require.NotEqual(t, want, classified("another"))
}

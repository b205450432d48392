package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/leadership"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/policysource"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// role grants verbs on resources as GROUP/RESOURCE.
func role(namespace string, verbs map[string]string) string {
	var rules []string
	for what, list := range verbs {
		group, resource, _ := strings.Cut(what, "/")
		rules = append(rules, fmt.Sprintf("{apiGroups: [%q], resources: [%q], verbs: [%s]}", group, resource, list))
	}
	return fmt.Sprintf(`apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: leader, namespace: %[1]s}
rules: [%[2]s]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: leader, namespace: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: leader}
subjects: [{kind: ServiceAccount, name: leader, namespace: %[1]s}]
`, namespace, strings.Join(rules, ", "))
}

// A process that lacks one of the rights that leading needs is not ready, and names the right.
func TestALeaderWithoutARight(t *testing.T) {
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "agents", "ledgers")
	policies := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(policies, "policy.rego"), []byte(grow), 0o644))
	for _, row := range []struct{ verb, resource, group string }{
		{"get", "leases", "coordination.k8s.io"}, {"create", "leases", "coordination.k8s.io"}, {"update", "leases", "coordination.k8s.io"},
		{"get", "ledgers", "scanflow.dev"}, {"create", "ledgers", "scanflow.dev"}, {"update", "ledgers", "scanflow.dev"}, {"list", "ledgers", "scanflow.dev"},
		{"watch", "agents", "scanflow.dev"}, // client-go lists by a watch, where the API server can
	} {
		t.Run(row.verb+" "+row.resource, func(t *testing.T) {
			t.Parallel()
			ns := c.Namespace(t)
			kubeconfig := c.KubeconfigFor(t, ns, "leader")
			verbs := map[string]string{
				"coordination.k8s.io/leases": "get, create, update", "scanflow.dev/agents": "get, list, watch", "scanflow.dev/agents/status": "patch",
				"scanflow.dev/ledgers": "get, list, create, update, delete",
			}
			c.Apply(t, role(ns, verbs))
			client, err := apiclient.New(apiclient.Options{Kubeconfig: kubeconfig})
			require.NoError(t, err)
			begin := func() *App {
				s, err := start(t, Options{
					Policies: policysource.Source{Paths: []string{policies}}, Data: t.TempDir(), Log: hclog.NewNullLogger(),
					Kubernetes: &KubernetesOptions{Replica: leadership.Replica{Client: client, Identity: "one", Elect: true, LeaseDuration: 2 * time.Second}, Namespace: ns},
				})
				require.NoError(t, err)
				return s
			}
			if row.verb == "update" { // of what an earlier leader has made
				s := begin()
				require.Eventually(t, s.Leading, 30*time.Second, 10*time.Millisecond)
				require.NoError(t, s.Stop(context.Background()))
			}
			verbs[row.group+"/"+row.resource] = strings.TrimPrefix(strings.Replace(", "+verbs[row.group+"/"+row.resource], ", "+row.verb, "", 1), ", ")
			c.Apply(t, role(ns, verbs))
			reviews, err := authorizationclient.NewForConfig(c.Client().Config)
			require.NoError(t, err)
			require.Eventually(t, func() bool { // the API server has heard of it
				review, err := reviews.SubjectAccessReviews().Create(t.Context(), &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
					User:               "system:serviceaccount:" + ns + ":leader",
					ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: row.verb, Group: row.group, Resource: row.resource, Namespace: ns},
				}}, metav1.CreateOptions{})
				return err == nil && !review.Status.Allowed
			}, 30*time.Second, 10*time.Millisecond)
			s := begin()
			want := fmt.Sprintf(`User "system:serviceaccount:%s:leader" cannot %s resource %q in API group %q in the namespace %q`, ns, row.verb, row.resource, row.group, ns)
			require.Eventually(t, func() bool { return strings.Contains(strings.Join(s.Unready(), "\n"), want) }, 30*time.Second, 10*time.Millisecond, want)
			require.False(t, s.Leading())
			_ = s.Stop(context.Background()) // it may lack the right to give the Lease up
		})
	}
}

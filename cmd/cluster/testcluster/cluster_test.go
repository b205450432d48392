package testcluster

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

func TestMain(m *testing.M) { Main(m) }

var deployments = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}

func deployment(namespace string) string {
	return `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: ` + namespace + `}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: none}]}}
`
}

// The controllers run: they create the pods of a Deployment.
func TestADeploymentGetsItsPods(t *testing.T) {
	c := Shared(t)
	ns := c.Namespace(t)
	c.Apply(t, deployment(ns))
	pods := c.Client().Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "pods"}).Namespace(ns)
	require.Eventually(t, func() bool {
		list, err := pods.List(t.Context(), metav1.ListOptions{LabelSelector: "app=web"})
		return err == nil && len(list.Items) == 2
	}, waitTimeout, 50*time.Millisecond)
}

// RBAC is enabled: a service account without a role has no access.
func TestAServiceAccountHasNoAccess(t *testing.T) {
	c := Shared(t)
	ns := c.Namespace(t)
	client, err := apiclient.New(apiclient.Options{Kubeconfig: c.KubeconfigFor(t, ns, "nobody")})
	require.NoError(t, err)
	require.Equal(t, ns, client.Namespace)
	_, err = client.Dynamic.Resource(deployments).Namespace(ns).List(t.Context(), metav1.ListOptions{})
	require.True(t, apierrors.IsForbidden(err), "%v", err)
}

// A cluster survives a restart of its API server.
func TestTheAPIServerComesBack(t *testing.T) {
	c := New(t)
	c.Apply(t, deployment("default"))
	c.StopAPIServer(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	require.Error(t, c.Client().Reach(ctx))
	c.StartAPIServer(t)
	_, err := c.Client().Dynamic.Resource(deployments).Namespace("default").Get(t.Context(), "web", getOptions)
	require.NoError(t, err)
}

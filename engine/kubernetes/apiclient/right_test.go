package apiclient

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Answers of API servers to requests that are refused.
func TestWhichRefusalsAreMissingRights(t *testing.T) {
	const by = `User "system:serviceaccount:ml:scanflow" cannot `
	for message, want := range map[string]string{
		by + `patch resource "deployments/scale" in API group "apps" in the namespace "ml"`:                       "patch deployments/scale of apps in the namespace ml",
		by + `list resource "pods" in API group "" at the cluster scope`:                                          "list pods in all namespaces",
		by + `list resource "pods" in API group "" in the namespace "ml": no RBAC policy matched`:                 "list pods in the namespace ml",
		`User "kubernetes-admin \"x\"" cannot get resource "a" in API group "b.example.com" in the namespace "c"`: "get a of b.example.com in the namespace c",
		by + `get path "/metrics"`:                                             "",
		`exceeded quota: pods, requested: pods=1`:                              "",
		`violates PodSecurity "restricted:latest"`:                             "",
		`ValidatingAdmissionPolicy 'x' denied: no`:                             "",
		`admission webhook "x" denied the request: ` + "cannot patch resource": "",
	} {
		t.Run(message, func(t *testing.T) {
			err := fmt.Errorf("write it: %w", apierrors.NewForbidden(schema.GroupResource{Group: "apps", Resource: "deployments"}, "web", errors.New(message)))
			is := Classify(err)
			require.EqualError(t, is, err.Error())
			require.True(t, apierrors.IsForbidden(is))
			require.False(t, engine.IsRetryable(is))
			lacks := engine.MissingRight(fmt.Errorf("again: %w", Classify(is)))
			if want == "" {
				require.Nil(t, lacks)
				return
			}
			var e *ForbiddenError
			require.ErrorAs(t, lacks, &e)
			require.Equal(t, want, e.Right.String())
			require.Equal(t, "web", e.Right.Name)
			require.NotEmpty(t, e.User)
		})
	}
	require.Nil(t, engine.MissingRight(Classify(apierrors.NewUnauthorized("token expired"))))
	require.Nil(t, engine.MissingRight(Classify(apierrors.NewNotFound(schema.GroupResource{}, by+`x`))))
	require.Nil(t, engine.MissingRight(nil))
}

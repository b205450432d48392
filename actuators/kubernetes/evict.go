package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"strings"

	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// eviction identifies a pod to evict.
type eviction struct {
	Namespace, Pod, UID string
	Verb                string // of the act
}

// evict evicts a pod by the Eviction API, like kubectl drain, so that PodDisruptionBudgets hold.
// The UID is a precondition: another pod of the same name is not evicted. The error is not
// classified; it names the budget that is in the way.
func (c *Cluster) evict(ctx context.Context, e eviction, dryRun ...string) error {
	mapping, err := c.Client.Kinds.Find("v1", "Pod")
	if err != nil {
		return err
	}
	_, err = c.resource(mapping, e.Namespace).Create(ctx, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "policy/v1", "kind": "Eviction", "metadata": map[string]any{"name": e.Pod, "namespace": e.Namespace},
		"deleteOptions": map[string]any{"preconditions": map[string]any{"uid": e.UID}},
	}}, metav1.CreateOptions{FieldManager: managerOf(e.Verb), DryRun: dryRun}, "eviction")
	if why := budgetsOf(err); why != "" {
		return fmt.Errorf("%w: %s", err, why)
	}
	return err
}

// pastEvicting reports whether the pod is gone, or its name is another pod's.
func pastEvicting(err error) bool { return apierrors.IsNotFound(err) || apierrors.IsConflict(err) }

// budgetsOf returns what the API server says of the disruption budgets that forbid an eviction,
// which the message of its error leaves out; "" where none does.
func budgetsOf(err error) string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return ""
	}
	var out []string
	for _, cause := range status.Status().Details.Causes {
		if cause.Type == policyv1.DisruptionBudgetCause {
			out = append(out, cause.Message)
		}
	}
	return strings.Join(out, "; ")
}

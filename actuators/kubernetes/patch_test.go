package kubernetes

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

func TestScaleOfWhatIsNotThere(t *testing.T) {
	b := newBench(t)
	b.create(t, "kubectl-create", web(b.ns, "web", 1, ""))
	target := b.settled(t, "apps/v1", "Deployment", "web")
	p := proposal("scale", target, to(3))
	_, err := Scale(b.Cluster).Plan(testContext(t), proposal("scale", engine.Target{APIVersion: "apps/v1", Kind: "Deployment", Namespace: b.ns, Name: "none"}, to(3)))
	require.ErrorContains(t, err, "there is no such object any more")
	change := plannedOf(t, Scale(b.Cluster), p)

	t.Run("deleted after the plan", func(t *testing.T) {
		require.NoError(t, b.deployments(t).Delete(testContext(t), "web", metav1.DeleteOptions{}))
		_, err := Scale(b.Cluster).Apply(testContext(t), change)
		require.True(t, apierrors.IsNotFound(err), "%v", err)
		require.False(t, engine.IsRetryable(err))
		_, err = b.deployments(t).Get(testContext(t), "web", metav1.GetOptions{})
		require.True(t, apierrors.IsNotFound(err), "it is not made")
	})
	t.Run("made anew after the plan", func(t *testing.T) {
		b.create(t, "kubectl-create", web(b.ns, "web", 1, ""))
		_, err := Scale(b.Cluster).Apply(testContext(t), change)
		require.ErrorIs(t, err, ErrMoved)
		require.Equal(t, int64(1), b.replicasOf(t, "web"))
	})
}

// The scale of a custom resource is written another way, with the same care.
func TestScaleOfACustomResourceThatMoved(t *testing.T) {
	b := newBench(t)
	b.widgets(t)
	widgets := b.on(t, "widgets.example.com/v1", "Widget")
	b.create(t, "kubectl-create", widget)
	target := b.settled(t, "widgets.example.com/v1", "Widget", "w")
	change := plannedOf(t, Scale(b.Cluster), proposal("scale", target, to(3)))

	b.merge(t, "kubectl-edit", "widgets.example.com/v1", "Widget", "w", `{"spec": {"workers": 2}}`)
	_, err := Scale(b.Cluster).Apply(testContext(t), change)
	require.ErrorIs(t, err, ErrMoved)

	require.NoError(t, widgets.Delete(testContext(t), "w", metav1.DeleteOptions{}))
	_, err = Scale(b.Cluster).Apply(testContext(t), change)
	require.True(t, apierrors.IsNotFound(err), "%v", err)

	b.create(t, "kubectl-create", widget)
	_, err = Scale(b.Cluster).Apply(testContext(t), change)
	require.ErrorIs(t, err, ErrMoved)
	n, _, _ := unstructured.NestedInt64(b.read(t, "widgets.example.com/v1", "Widget", "w").Object, "spec", "workers")
	require.Equal(t, int64(1), n)
}

func TestWhatComesBetweenPlanAndWrite(t *testing.T) {
	b := newBench(t)
	b.create(t, "kubectl-create", web(b.ns, "web", 1, ""))
	target := b.settled(t, "apps/v1", "Deployment", "web")
	change := plannedOf(t, Scale(b.Cluster), proposal("scale", target, to(3)))

	t.Run("a status", func(t *testing.T) {
		c, p := b.behind(t, between(func() {
			b.admin.Patch(t, deploymentsResource, b.ns, "web", `{"metadata": {"labels": {"touched": "1"}}}`)
		}))
		_, err := Scale(c).Apply(testContext(t), change)
		require.NoError(t, err)
		require.Equal(t, int64(3), b.replicasOf(t, "web"))
		require.Equal(t, 2, p.passed(http.MethodPatch), "once refused, once written")
	})
	t.Run("the field", func(t *testing.T) {
		b.rescale(t, "kubectl", "web", 7)
		_, err := Scale(b.Cluster).Apply(testContext(t), change)
		require.ErrorIs(t, err, ErrMoved)
		require.False(t, engine.IsRetryable(err))
		require.Equal(t, int64(7), b.replicasOf(t, "web"))
	})
}

func TestALostAnswerIsWrittenOnce(t *testing.T) {
	b := newBench(t)
	b.create(t, "kubectl-create", web(b.ns, "web", 1, ""))
	target := b.settled(t, "apps/v1", "Deployment", "web")
	c, p := b.behind(t, lost())
	change := plannedOf(t, Scale(b.Cluster), proposal("scale", target, to(3)))
	_, err := Scale(c).Apply(testContext(t), change)
	require.Error(t, err)
	require.True(t, engine.IsRetryable(err), "%v", err)
	require.Equal(t, int64(3), b.replicasOf(t, "web"), "it has landed")
	generation := b.read(t, "apps/v1", "Deployment", "web").GetGeneration()

	_, err = Scale(c).Apply(testContext(t), change)
	require.NoError(t, err)
	require.Equal(t, generation, b.read(t, "apps/v1", "Deployment", "web").GetGeneration())
	require.Equal(t, 2, p.passed(http.MethodPatch))
}

func TestAnAPIServerThatIsBusyMayPass(t *testing.T) {
	b := newBench(t)
	b.create(t, "kubectl-create", web(b.ns, "web", 1, ""))
	target := b.settled(t, "apps/v1", "Deployment", "web")
	change := plannedOf(t, Scale(b.Cluster), proposal("scale", target, to(3)))
	for _, code := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusInternalServerError} {
		c, _ := b.behind(t, answers(code))
		_, err := Scale(c).Apply(testContext(t), change)
		require.Error(t, err)
		require.True(t, engine.IsRetryable(err), "%d: %v", code, err)
	}
	require.Equal(t, int64(1), b.replicasOf(t, "web"))
}

// A real admission policy, which the API server itself evaluates.
func TestAWriteThatAdmissionDeniesIsFinal(t *testing.T) {
	b := newBench(t)
	b.create(t, "kubectl-create", web(b.ns, "web", 1, ""))
	target := b.settled(t, "apps/v1", "Deployment", "web")
	b.admin.Apply(t, fmt.Sprintf(`
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: few-%[1]s}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [UPDATE], resources: [deployments/scale]}]
  validations: [{expression: "object.spec.replicas <= 5", message: "no more than five here"}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: few-%[1]s}
spec:
  policyName: few-%[1]s
  validationActions: [Deny]
  matchResources: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %[1]s}}}
`, b.ns))
	soon(t, "the policy is in force", func() bool {
		scale, err := b.deployments(t).Get(testContext(t), "web", metav1.GetOptions{}, "scale")
		require.NoError(t, err)
		require.NoError(t, unstructured.SetNestedField(scale.Object, int64(6), "spec", "replicas"))
		_, err = b.deployments(t).Update(testContext(t), scale, metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}}, "scale")
		return err != nil && !apierrors.IsConflict(err)
	})
	_, err := Scale(b.Cluster).Apply(testContext(t), plannedOf(t, Scale(b.Cluster), proposal("scale", target, to(6))))
	require.ErrorContains(t, err, "no more than five here")
	require.False(t, engine.IsRetryable(err))
	require.Equal(t, int64(1), b.replicasOf(t, "web"))
	done(t, Scale(b.Cluster), proposal("scale", target, to(5)))
}

func TestAForbiddenWriteIsFinal(t *testing.T) {
	b := newBench(t)
	b.create(t, "kubectl-create", web(b.ns, "web", 1, ""))
	target := b.settled(t, "apps/v1", "Deployment", "web")
	nobody, err := apiclient.New(apiclient.Options{Kubeconfig: b.admin.KubeconfigFor(t, b.ns, "nobody")})
	require.NoError(t, err)
	change := plannedOf(t, Scale(b.Cluster), proposal("scale", target, to(3)))
	_, err = Scale(b.through(nobody)).Apply(testContext(t), change)
	require.True(t, apierrors.IsForbidden(err), "%v", err)
	require.False(t, engine.IsRetryable(err))
}

package demo

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// observed collects the observed states of the objects in a namespace.
type observed struct {
	mu   sync.Mutex
	seen map[string]bool
}

func (o *observed) list() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Sorted(maps.Keys(o.seen))
}

// observe records the states of the objects of a resource until the test ends.
func observe(t *testing.T, client *apiclient.Client, namespace string, resource schema.GroupVersionResource, note func(o *unstructured.Unstructured) string) *observed {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	w, err := client.Dynamic.Resource(resource).Namespace(namespace).Watch(ctx, metav1.ListOptions{})
	require.NoError(t, err)
	out := &observed{seen: map[string]bool{}}
	var task sync.WaitGroup
	task.Go(func() {
		for e := range w.ResultChan() {
			if o, is := e.Object.(*unstructured.Unstructured); is {
				out.mu.Lock()
				out.seen[note(o)] = true
				out.mu.Unlock()
			}
		}
	})
	t.Cleanup(func() { stop(); w.Stop(); task.Wait() })
	return out
}

// A short day on a cluster: both layers change one Deployment, workflows run in pods, and the
// killed pod is replaced.
func dayOnKubernetes(t *testing.T, o Options) {
	runs := observe(t, o.Kubernetes, "digits", schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: "workflows"}, func(w *unstructured.Unstructured) string {
		template, _, _ := unstructured.NestedString(w.Object, "spec", "workflowTemplateRef", "name")
		phase, _, _ := unstructured.NestedString(w.Object, "status", "phase")
		return template + " " + phase
	})
	deployment := schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	sizes := observe(t, o.Kubernetes, "digits", deployment, func(d *unstructured.Unstructured) string {
		n, _, _ := unstructured.NestedInt64(d.Object, "spec", "replicas")
		return fmt.Sprint(n)
	})
	models := observe(t, o.Kubernetes, "digits", deployment, func(d *unstructured.Unstructured) string {
		model, _, _ := unstructured.NestedString(d.Object, "spec", "template", "metadata", "annotations", "scanflow.dev/model")
		return model
	})
	r, err := Day(t.Context(), o)
	require.NoError(t, err)
	t.Logf("held %v, missed %q", r.Held, r.Missed)

	require.Contains(t, runs.list(), "detect Succeeded")
	require.Contains(t, runs.list(), "retrain Succeeded")
	require.Positive(t, r.Trainings)
	require.NotEmpty(t, r.Rounds, "a retrained model came into service")
	require.Contains(t, models.list(), r.Rounds[0].Version)
	require.Subset(t, sizes.list(), []string{"1", "2", "3"})

	require.NotEmpty(t, r.Kill.Pod)
	require.NotNil(t, r.Kill.NoticedSeconds)
	require.NotNil(t, r.Kill.BackSeconds)
	require.Greater(t, *r.Kill.BackSeconds, *r.Kill.NoticedSeconds, "another pod had to start")

	writers := map[string][]string{}
	for _, f := range r.Fields {
		writers[f.Claim] = slices.Sorted(maps.Keys(f.Acts))
	}
	require.Equal(t, map[string][]string{
		"replicas": {"digits/scaler"}, "model": {"digits/planner"}, "model/digits": {"digits/executor"},
		"workflow/detect": {"digits/checker"}, "workflow/retrain": {"digits/planner"},
	}, writers, "one agent a field")
	requirePlot(t, o, "wrong of what was answered")
}

package clusterview

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/sensors"
)

func TestAWorkflowsProgressIsASignal(t *testing.T) {
	c, v := sharedView(t)
	ns, other := c.Namespace(t), c.Namespace(t)
	jobs := schema.GroupVersionResource{Group: "batch", Version: "v1", Resource: "jobs"}
	job := func(namespace, name, model string) string {
		return strings.NewReplacer("NS", namespace, "NAME", name, "MODEL", model).Replace(`---
apiVersion: batch/v1
kind: Job
metadata: {name: NAME, namespace: NS, labels: {model: MODEL, use: train}}
spec:
  completions: 8
  template: {spec: {restartPolicy: Never, containers: [{name: main, image: "example.com/train:1"}]}}
`)
	}
	c.Apply(t, job(ns, "first", "digits")+job(other, "elsewhere", "letters"))
	s, err := sensors.Kinds["object"].New(&sensors.ObjectConfig{
		APIVersion: "batch/v1", Kind: "Job", Selector: &sensors.ObjectSelector{MatchLabels: map[string]string{"use": "train"}},
		Match: map[string]string{"model": "name"}, Field: "status.succeeded",
	}, sensors.Env{Workloads: v})
	require.NoError(t, err)
	fleet := []engine.Target{{Namespace: ns, Name: "digits"}, {Namespace: ns, Name: "letters"}}
	reading := func() engine.Reading {
		r, err := s.Sample(testContext(t), time.Unix(1, 0), fleet)
		require.NoError(t, err)
		return r
	}
	soon(t, "the Job is seen", func() bool { return strings.Contains(reading()[0].Problem, "has no status.succeeded") })
	require.Equal(t, engine.Empty, reading()[1].State, "a Job of another namespace is another's")
	c.Patch(t, jobs, ns, "first", `{"status": {"succeeded": 3}}`, "status")
	soon(t, "its progress is seen", func() bool { return reading()[0].Value == 3.0 })
	informers := func() int {
		v.mu.RLock()
		defer v.mu.RUnlock()
		return len(v.informers)
	}
	require.Equal(t, 1, informers(), "the fleet's namespace alone is looked into")

	fleet = append(fleet, engine.Target{Namespace: other, Name: "letters"})
	require.Equal(t, engine.Empty, reading()[2].State)
	require.Equal(t, 1, informers(), "now the cluster is, instead")
	s.(interface{ Release() }).Release()
	require.Zero(t, informers())

	_, err = sensors.Kinds["object"].New(&sensors.ObjectConfig{
		APIVersion: "batch/v1", Kind: "Job", Match: map[string]string{"model": "name"}, Field: "status.succeeded",
		Selector: &sensors.ObjectSelector{MatchLabels: map[string]string{"use": "not a label/value"}},
	}, sensors.Env{Workloads: v})
	require.ErrorContains(t, err, "selector")
}

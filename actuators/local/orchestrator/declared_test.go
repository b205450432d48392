package orchestrator

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Declared workloads are found by the same selectors, and have no state.
func TestDeclared(t *testing.T) {
	w, err := ReadBytes("w.yaml", []byte(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: a, namespace: one, labels: {app: x}}
spec:
  replicas: 3
  selector: {matchLabels: {app: x}}
  template:
    metadata: {labels: {app: x}, annotations: {scanflow.dev/model: "7"}}
    spec: {containers: [{name: c, image: scanflow, command: [sleep, "1"]}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: b, labels: {app: other}}
spec:
  selector: {matchLabels: {app: other}}
  template:
    metadata: {labels: {app: other}}
    spec: {containers: [{name: c, image: scanflow, command: [sleep, "1"]}]}
`))
	require.NoError(t, err)
	o := Declared(w)
	a := engine.Target{
		APIVersion: "apps/v1", Kind: "Deployment", Namespace: "one", Name: "a", Labels: map[string]string{"app": "x"},
		Replicas: &engine.Replicas{Desired: 3}, Placement: []string{}, Model: "7",
	}
	b := engine.Target{
		APIVersion: "apps/v1", Kind: "Deployment", Namespace: "default", Name: "b", Labels: map[string]string{"app": "other"},
		Replicas: &engine.Replicas{Desired: 1}, Placement: []string{},
	}
	for name, row := range map[string]struct {
		s    engine.Selector
		want []engine.Target
	}{
		"all":             {engine.Selector{Kind: "Deployment"}, []engine.Target{a, b}},
		"of a label":      {engine.Selector{Kind: "Deployment", MatchLabels: map[string]string{"app": "other"}}, []engine.Target{b}},
		"of a namespace":  {engine.Selector{Kind: "Deployment", Namespace: "one"}, []engine.Target{a}},
		"of another":      {engine.Selector{Kind: "Deployment", Namespace: "two"}, nil},
		"of an API group": {engine.Selector{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "default"}, []engine.Target{b}},
	} {
		fleet, err := o.Fleet(row.s)
		require.NoError(t, err, name)
		got, err := fleet.Targets(t.Context())
		require.NoError(t, err, name)
		require.Equal(t, row.want, got, name)
	}
	_, err = o.Fleet(engine.Selector{Kind: "StatefulSet"})
	require.ErrorContains(t, err, "runs no StatefulSet")
	_, known := o.Workload(a.ID())
	require.False(t, known)
}

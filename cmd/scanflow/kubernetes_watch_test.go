package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

// stampPolicy writes on the target what a watched field became.
const stampPolicy = `package scanflow.strategies.t.stamp

propose contains p if {
	input.trigger.kind == "watch"
	some change in input.trigger.watch.objects
	p := {
		"primitive": "annotate",
		"with": {"annotations": {"example.com/model": change.to, "example.com/before": object.get(change, "from", "none")}},
		"reason": "model_changed", "because": [],
	}
}
`

const stampAgent = `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: stamper, namespace: NAMESPACE}
spec:
  targets: {apiVersion: apps/v1, kind: Deployment, selector: {matchLabels: {scaled: "yes"}}}
  triggers: [{name: model, watch: {apiVersion: v1, kind: ConfigMap, name: model, field: data.version}}]
  strategies: [t.stamp]
  primitives: [annotate]
`

func modelMap(version, note string) string {
	return "{apiVersion: v1, kind: ConfigMap, metadata: {name: model, namespace: NAMESPACE}, data: {version: " + version + ", note: " + note + "}}"
}

// A field of an object fires an agent that has no other trigger, and nothing else
// does: neither another field, nor another object.
func TestKubernetesAWatchTriggerFiresTheAgent(t *testing.T) {
	t.Parallel()
	s := newStage(t, testcluster.Shared(t), stampAgent)
	s.policy("stamp", stampPolicy)
	s.apply(webDeployment)
	s.apply(modelMap("v1", "first"))
	s.apply(stampAgent)
	d := s.daemon()
	stamp := func() string {
		return s.field(deploymentsResource, "web", "metadata", "annotations", "example.com/before") + " -> " +
			s.field(deploymentsResource, "web", "metadata", "annotations", "example.com/model")
	}
	s.until("the agent runs", func() bool { return s.condition("stamper", "Running") != "" })
	// The watch begins a moment later, and what is there by then is no change: so the
	// field changes until one is seen.
	version := "v2"
	s.until("a change is seen", func() bool {
		if version == "v2" {
			version = "v3"
		} else {
			version = "v2"
		}
		s.apply(modelMap(version, "first"))
		return stamp() != " -> "
	})
	s.until("the last one, too", func() bool {
		return s.field(deploymentsResource, "web", "metadata", "annotations", "example.com/model") == version
	})
	acts := d.acts("annotate", false)
	s.apply(modelMap(version, "second"))
	s.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: other, namespace: NAMESPACE}, data: {version: v9}}")
	s.apply(modelMap("v4", "second"))
	s.until("the change after those", func() bool { return stamp() == version+" -> v4" })
	d.until("the act is told of", func() bool { return d.acts("annotate", false) > acts })
	require.Equal(t, acts+1, d.acts("annotate", false), "what is not watched fires nothing")
	d.stop()
}

package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

// interferencePolicy moves batch work away from the online service's node, once that
// suffers from it.
const interferencePolicy = `package scanflow.strategies.t.interference

propose contains p if {
	input.signals.latency_ms.value > input.params.bound_ms
	input.signals.online_node.value in input.target.placement
	p := {
		"primitive": "place",
		"with": {"antiAffinity": {"matchLabels": {"app": "online"}}},
		"reason": "slows_the_online_service", "because": ["latency_ms", "online_node"],
	}
}
`

const interferenceAgent = `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: planner, namespace: NAMESPACE}
spec:
  targets: {apiVersion: apps/v1, kind: Deployment, selector: {matchLabels: {scaled: "yes"}}}
  triggers: [{name: tick, every: 250ms}]
  sensors:
    - {name: latency_ms, http: {url: "URL/load", pointer: /load}}
    - {name: online_node, object: {apiVersion: v1, kind: Pod, name: online-0, field: spec.nodeName, type: string}}
  strategies: [t.interference]
  primitives: [place]
  params: {bound_ms: 100}
`

// besides is an online service, and batch work that the scheduler puts beside it.
const besides = `apiVersion: apps/v1
kind: StatefulSet
metadata: {name: online, namespace: NAMESPACE}
spec:
  serviceName: online
  selector: {matchLabels: {app: online}}
  template: {metadata: {labels: {app: online}}, spec: {containers: [{name: c, image: none}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: batch, namespace: NAMESPACE, labels: {scaled: "yes"}}
spec:
  replicas: 2
  selector: {matchLabels: {app: batch}}
  template:
    metadata: {labels: {app: batch}}
    spec:
      containers: [{name: c, image: none}]
      affinity:
        podAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
            - {weight: 100, podAffinityTerm: {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: online}}}}
`

// nodesOf are the nodes that an app's pods are on.
func (s *stage) nodesOf(app string) (out []string) {
	for _, p := range s.list(podsResource) {
		node, _, _ := unstructured.NestedString(p.Object, "spec", "nodeName")
		if p.GetLabels()["app"] == app && p.GetDeletionTimestamp() == nil {
			out = append(out, node)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// S3 after the fact, with a real scheduler: batch work shares the online service's
// node, and nothing is done while that is fast; once it is slow, the batch work moves,
// and what its author wrote of its affinity stays.
func TestS3OnKubernetes(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	s := newStage(t, c, interferenceAgent)
	c.KwokNodes(t, 1) // besides the one that each stage has
	s.policy("interference", interferencePolicy)
	s.apply(besides)
	s.until("the online service runs", func() bool { return len(s.nodesOf("online")) == 1 && s.nodesOf("online")[0] != "" })
	online := s.nodesOf("online")
	// The batch pods may have been scheduled first: from now on there is something to be near to.
	s.patch(deploymentsResource, "batch", map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{"annotations": map[string]any{"again": "yes"}}}}})
	s.rolledOut("batch")
	s.until("the batch pods are beside it", func() bool { return slices.Equal(online, s.nodesOf("batch")) })

	s.wants(20)
	s.apply(interferenceAgent)
	d := s.daemon()
	d.until("it looks on", d.leads)
	d.fires(s.namespace+"/planner", 3)
	require.Zero(t, d.acts("place", false), "nobody is disturbed")

	s.wants(250)
	s.until("the batch work has moved", func() bool {
		nodes := s.nodesOf("batch")
		return len(nodes) > 0 && !slices.Contains(nodes, "") && !slices.Contains(nodes, online[0])
	})
	s.until("the act is told of", func() bool { return strings.Contains(s.events("batch"), "Normal Place: ") })
	require.Equal(t, online, s.nodesOf("online"))
	require.Equal(t, "100", s.field(deploymentsResource, "batch", "spec", "template", "spec", "affinity", "podAffinity", "preferredDuringSchedulingIgnoredDuringExecution", "0", "weight"))
	d.fires(s.namespace+"/planner", 3)
	require.Equal(t, 1, d.acts("place", false))
	d.stop()
}

package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

// watchingAgent reads objects in all ways that an agent can: targets, their pods, a field,
// pods beside the targets, and a trigger.
const watchingAgent = `---
apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: NAME, namespace: NAMESPACE}
spec:
  targets: {apiVersion: apps/v1, kind: Deployment, selector: {matchLabels: {scaled: "yes"}}}
  triggers: [{name: tick, every: 250ms}, {name: config, watch: {apiVersion: v1, kind: ConfigMap, name: NAME, field: data.version}}]
  sensors:
  - {name: want, http: {url: "URL/load", pointer: /load}}
  - {name: done, object: {apiVersion: batch/v1, kind: Job, name: "train-{name}", field: status.succeeded}}
  - {name: beside, colocated: {matchLabels: {app: batch}, namespaces: [NAMESPACE]}}
  strategies: [t.follow]
  primitives: [scale]
  guards: {replicas: {max: MAX}}
`

// An edit of an agent that leaves what it reads opens no watch, neither of its own nor of
// another agent.
func TestKubernetesAnEditReopensNoWatch(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	agent := func(name, most string) string {
		return strings.NewReplacer("NAMESPACE", "NAMESPACE", "NAME", name, "MAX", most).Replace(watchingAgent)
	}
	both := agent("first", "5") + agent("second", "5")
	s := newStage(t, c, both)
	recorder := newRequestRecorder(t, c)
	s.config = recorder.kubeconfig(t, s.config)
	s.apply(webDeployment)
	s.apply(both)
	s.wants(2)
	s.daemon()
	s.scaledTo("web", 2)
	s.until("everything is followed", func() bool {
		now := recorder.counts("watch ")
		return now["watch deployments"] > 0 && now["watch pods"] > 0 && now["watch jobs"] > 0 && now["watch configmaps"] > 0
	})
	before := recorder.counts("watch ")
	s.apply(agent("first", "4"))
	s.apply(agent("first", "3"))
	s.wants(4)
	s.until("the edited agent runs", func() bool {
		return strings.HasPrefix(s.condition("first", "Running"), "True") && s.field(agentsResource, "first", "status", "observedGeneration") == s.field(agentsResource, "first", "metadata", "generation")
	})
	s.until("an agent acts", func() bool { return s.replicas("web") >= 3 })
	require.Equal(t, before, recorder.counts("watch "))
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

const (
	// noticePolicy tells how far the run is, as long as it goes.
	noticePolicy = `package scanflow.strategies.t.notice

propose contains {
	"primitive": "annotate",
	"with": {"annotations": {"example.com/progress": input.signals.progress.value}},
	"reason": "progress", "because": ["progress"],
} if input.signals.progress.value != ""
`
	// resultPolicy tells what the run came to.
	resultPolicy = `package scanflow.strategies.t.result

propose contains {
	"primitive": "annotate",
	"with": {"annotations": {"example.com/accuracy": input.trigger.event.data.outputs.accuracy}},
	"reason": "trained", "because": [],
} if {
	input.trigger.event.data.phase == "Succeeded"
	input.trigger.event.subject == sprintf("%s/%s", [input.target.namespace, input.target.name])
}
`
	trainingAgents = `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: planner, namespace: NAMESPACE}
spec:
  targets: {apiVersion: apps/v1, kind: Deployment, selector: {matchLabels: {scaled: "yes"}}}
  triggers: [{name: tick, every: 250ms}]
  sensors:
    - {name: want, http: {url: "URL/load", pointer: /load}}
    - name: progress
      object: {apiVersion: argoproj.io/v1alpha1, kind: Workflow, match: {scanflow.dev/target: name}, field: status.progress, type: string}
  strategies: [t.verb, t.notice]
  primitives: [workflow.run, annotate]
---
apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: executor, namespace: NAMESPACE}
spec:
  targets: {apiVersion: apps/v1, kind: Deployment, selector: {matchLabels: {scaled: "yes"}}}
  triggers: [{name: trained, event: {type: dev.scanflow.workflow.succeeded}}]
  strategies: [t.result]
  primitives: [annotate]
`
)

// What becomes of a run flows back: its progress is a signal, and its end is an event
// that another agent acts upon.
func TestKubernetesAWorkflowReportsBack(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "workflow", "workflowtemplate")
	s := newStage(t, c, trainingAgents)
	s.policy("verb", strings.NewReplacer("VERB", "workflow.run", "WITH", `{"template": "train", "parameters": {"round": "1"}}`, "CONDITION", `not input.memory["t.verb"].last["workflow.run"]`).Replace(verbPolicy))
	s.policy("notice", noticePolicy)
	s.policy("result", resultPolicy)
	s.apply(webDeployment)
	s.apply(trainTemplate)
	s.wants(1)
	s.apply(trainingAgents)
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte("of-the-api"), 0o600))
	d := s.daemon("--token-file", token)
	s.until("the workflow is made", func() bool { return len(s.list(workflowsResource)) == 1 })
	run := s.list(workflowsResource)[0].GetName()
	note := func(name string) string {
		return s.field(deploymentsResource, "web", "metadata", "annotations", "example.com/"+name)
	}
	argo := func(status map[string]any) { s.patch(workflowsResource, run, map[string]any{"status": status}) }

	argo(map[string]any{"phase": "Running", "progress": "1/4"})
	s.until("the progress is sensed", func() bool { return note("progress") == "1/4" })
	require.Zero(t, d.acts("workflow.run", false), "a long act ends when the run does")
	require.Empty(t, note("accuracy"))
	argo(map[string]any{
		"phase": "Succeeded", "progress": "4/4", "finishedAt": "2026-01-01T00:00:00Z",
		"outputs": map[string]any{"parameters": []any{map[string]any{"name": "accuracy", "value": "0.93"}}},
	})
	s.until("the other agent learns of it", func() bool { return note("accuracy") == "0.93" })
	s.until("the last progress is sensed, too", func() bool { return note("progress") == "4/4" })
	d.until("the act has ended", func() bool { return d.acts("workflow.run", false) == 1 })
	require.Len(t, s.list(workflowsResource), 1)
	for _, args := range [][]string{nil, {"show", run}, {"cancel", s.namespace + "/" + run, "--by", "ana"}} {
		out, code := scanflow(t, append(append([]string{"workflows"}, args...), "--server", d.url, "--token-file", token)...)
		require.Equal(t, 1, code, out)
		require.Contains(t, out, "on Kubernetes the runs of workflows are Argo's: `argo list`", "who has them is named")
	}
	require.NotContains(t, strings.ToLower(d.text()), "forbidden")
	d.stop()
}

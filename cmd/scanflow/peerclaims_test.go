package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/freeport"
)

// trainAgainPolicy wants the very workflow that another process runs.
const trainAgainPolicy = `package scanflow.strategies.t.again

propose contains {"primitive": "workflow.run", "with": {"template": "retrain", "name": "retrain"}, "reason": "again", "because": []}
`

const trainAgainAgent = `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: again, namespace: digits}
spec:
  mode: dry-run
  targets: {apiVersion: apps/v1, kind: Deployment, selector: {matchLabels: {app.kubernetes.io/component: predictor}}}
  triggers: [{name: tick, every: 100ms}]
  strategies: [t.again]
  primitives: [workflow.run]
`

// The two layers of TestLayersThatWantOppositeThingsTakeTurns, each in a process of its
// own. What the one holds binds the other, even while the one is not there to say so.
func TestLayersTakeTurnsAcrossProcesses(t *testing.T) {
	b := newBench(t)
	b.write("policies/recycle.rego", recyclePolicy)
	b.write("carer/carer.yaml", strings.NewReplacer("URL", b.app.URL, "STRATEGY", "t.recycle").Replace(infrastructureAgent))
	b.write("policies/again.rego", trainAgainPolicy)
	b.write("carer/again.yaml", trainAgainAgent)
	b.app.set(`{"load": 5}`) // the pods are old
	at := freeport.Reserve(t)
	planner := b.start("--listen", at)
	b.asks(planner, "retrain")
	planner.until("the training runs", func() bool { return b.trainings() != "" })

	data := filepath.Join(b.dir, "carer-data")
	carer := startDaemon(t, "-f", filepath.Join(b.dir, "carer"), "--policies", b.policies, "--data", data, "--workloads", filepath.Join(b.dir, "workloads"), "--stop-pods",
		"--peer", "http://"+at, "--peer-token-file", filepath.Join(b.dir, "token"))
	claims := func() string {
		out, code := scanflow(t, "claims", "--server", carer.url)
		require.Equal(t, 0, code, out)
		return strings.Join(strings.Fields(out), " ")
	}
	const holds = "digits/digits workflow/retrain digits/planner at http://"
	require.Contains(t, claims(), holds, "from the first moment on")
	carer.fires("digits/carer", 10)
	planner.kill()
	carer.fires("digits/carer", 20)
	require.Contains(t, claims(), holds, "what it was last heard to hold")
	require.Zero(t, carer.acts("restart", false))
	held := decisionsIn(t, data, "restart")
	require.NotEmpty(t, held)
	for _, r := range held {
		require.Equal(t, []string{"refused", "policy:layers", "denied by layers: under_change: digits/planner holds workflow/retrain"}, []string{string(r.Verdict), r.By, r.Detail})
	}
	again := decisionsIn(t, data, "workflow.run")
	require.NotEmpty(t, again, "a dry run respects what others hold, too")
	for _, r := range again {
		require.Equal(t, []string{"refused", "claims"}, []string{string(r.Verdict), r.By})
		require.Contains(t, r.Detail, "workflow/retrain is held by workflow.run of digits/planner (running), at http://"+at)
	}

	planner = b.start("--listen", at)
	require.Contains(t, claims(), holds)
	b.write("trained", "")
	carer.until("the other has its turn", func() bool { return carer.acts("restart", false) == 1 })
	change, other := admitted(t, b.decisions("workflow.run")), admitted(t, decisionsIn(t, data, "restart"))
	require.False(t, other.At.Before(*change.EndedAt), "it waited for the end of the change")
	require.Contains(t, claims(), "workflow.run of modeldebug.plan cooling", "what a peer holds is told anew")
	carer.stop()
	planner.stop()
}

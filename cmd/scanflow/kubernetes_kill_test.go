package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

// jobPolicy starts one run for each number that the application says. What was done
// for the last number it knows from memory alone.
const jobPolicy = `package scanflow.strategies.t.job

propose contains p if {
	n := sprintf("%d", [input.signals.want.value])
	not done(n)
	p := {
		"primitive": "workflow.run",
		"with": {"template": "batch", "kind": "CronJob", "parameters": {"N": n}},
		"reason": "wanted", "because": ["want"],
	}
}

done(n) if {
	last := input.memory["t.job"].last["workflow.run"]
	last.with.parameters.N == n
	last.outcome in {"running", "done"}
}
`

const jobAgent = `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: runner, namespace: NAMESPACE}
spec:
  targets: {apiVersion: apps/v1, kind: Deployment, selector: {matchLabels: {scaled: "yes"}}}
  triggers: [{name: tick, every: 100ms}]
  sensors: [{name: want, http: {url: "URL/load", pointer: /load}}]
  strategies: [t.job]
  primitives: [workflow.run]
`

const batchJob = `apiVersion: batch/v1
kind: CronJob
metadata: {name: batch, namespace: NAMESPACE}
spec:
  schedule: "0 0 1 1 *"
  suspend: true
  jobTemplate:
    spec:
      template:
        spec: {restartPolicy: Never, containers: [{name: c, image: none}]}
`

var jobsResource = schema.GroupVersionResource{Group: "batch", Version: "v1", Resource: "jobs"}

// runs counts the Jobs by the number that they were started for.
func (s *stage) runs() map[string]int {
	s.t.Helper()
	list, err := s.cluster.Client().Dynamic.Resource(jobsResource).Namespace(s.namespace).List(s.t.Context(), metav1.ListOptions{})
	require.NoError(s.t, err)
	out := map[string]int{}
	for _, job := range list.Items {
		containers, _, err := unstructured.NestedSlice(job.Object, "spec", "template", "spec", "containers")
		require.NoError(s.t, err)
		for _, raw := range containers[0].(map[string]any)["env"].([]any) {
			if env := raw.(map[string]any); env["name"] == "N" {
				out[fmt.Sprint(env["value"])]++
			}
		}
	}
	return out
}

// leads reports whether a daemon leads now, according to its log.
func (d *daemon) leads() bool {
	leading := false
	for _, line := range d.lines() {
		switch line["@message"] {
		case "leading":
			leading = true
		case "leading no more":
			leading = false
		}
	}
	return leading
}

// Two replicas, and the leader killed with SIGKILL in the middle of an act, time and
// again: the other takes over from what the cluster remembers. Each act is done, and
// none twice.
func TestKubernetesKillTheLeader(t *testing.T) {
	t.Parallel()
	kills := 4
	if os.Getenv("SCANFLOW_SOAK") != "" {
		kills = 100
	}
	s := newStage(t, testcluster.Shared(t), jobAgent)
	s.policy("job", jobPolicy)
	s.apply(webDeployment)
	s.apply(batchJob)
	s.wants(0)
	leader := s.daemon("--lease-duration", "1s")
	require.Eventually(t, leader.leads, 30*time.Second, 5*time.Millisecond)
	standby := s.daemon("--lease-duration", "1s")
	s.apply(jobAgent)
	random := rand.New(rand.NewPCG(7, 11)) //nolint:gosec // a repeatable test, no secret
	var worst time.Duration
	for i := 1; i <= kills; i++ {
		before := fmt.Sprint(i - 1)
		s.until("the run before was started", func() bool { return s.runs()[before] == 1 })
		require.False(t, standby.leads(), "only one leads")
		s.wants(i)
		pause := time.NewTimer(time.Duration(random.Int64N(int64(150 * time.Millisecond)))) // somewhere in the act, or before it
		<-pause.C
		leader.kill()
		killed := time.Now()
		require.Eventually(t, standby.leads, 30*time.Second, 5*time.Millisecond, "nobody took over")
		worst = max(worst, time.Since(killed))
		leader, standby = standby, s.daemon("--lease-duration", "1s")
	}
	s.until("the last run was started", func() bool { return s.runs()[fmt.Sprint(kills)] == 1 })
	for n, times := range s.runs() {
		require.Equal(t, 1, times, "run %s", n)
	}
	t.Logf("%d kills: %d runs, each once; the longest time without a leader was %s, with a lease of 1 s", kills, len(s.runs()), worst.Round(time.Millisecond))
	require.Len(t, s.runs(), kills+1)

	// In order, the other takes over at once.
	require.False(t, strings.Contains(standby.text(), `"leading"`))
	leader.stop()
	require.Eventually(t, standby.leads, 30*time.Second, 5*time.Millisecond)
	standby.stop()
}

package app

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// sized wants the replicas of the agent's params.
const sized = `package scanflow.strategies.t.sized

propose contains {"primitive": "scale", "with": {"replicas": input.params.replicas}, "reason": "sized", "because": []}
`

// waitForAct is longer than the deadline of an act.
const waitForAct = 90 * time.Second

// rivals want different replicas of one Deployment.
const rivals = `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: more, namespace: NAMESPACE}
spec:
  targets: {apiVersion: apps/v1, kind: Deployment, selector: {matchLabels: {app: web}}}
  triggers: [{name: tick, every: 200ms}]
  strategies: [t.sized]
  primitives: [scale]
  params: {replicas: 2}
---
apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: fewer, namespace: NAMESPACE}
spec:
  priority: PRIORITY
  targets: {apiVersion: apps/v1, kind: Deployment, selector: {matchLabels: {app: web}}}
  triggers: [{name: tick, every: 200ms}]
  strategies: [t.sized]
  primitives: [scale]
  params: {replicas: 1}
`

var agentObjects = schema.GroupVersionResource{Group: "scanflow.dev", Version: "v1alpha1", Resource: manifest.Plural}

// runningMessage is the message of an agent's condition Running.
func runningMessage(t *testing.T, c *testcluster.Cluster, ns, name string) string {
	t.Helper()
	o, err := c.Client().Dynamic.Resource(agentObjects).Namespace(ns).Get(t.Context(), name, metav1.GetOptions{})
	require.NoError(t, err)
	conditions, _, err := unstructured.NestedSlice(o.Object, "status", "conditions")
	require.NoError(t, err)
	for _, one := range conditions {
		if condition := one.(map[string]any); condition["type"] == manifest.Running {
			return condition["message"].(string)
		}
	}
	return ""
}

// refusal returns the last refusal of an agent by claims, "" where there is none.
func (d *decided) refusal(by string) (detail string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range d.last {
		if one.Verdict == engine.Refused && one.By == by {
			detail = one.Detail
		}
	}
	return detail
}

// Two agents want different replicas of one Deployment. Who wrote first holds it, also after
// the process has restarted, until the other is given the higher priority. Both see it in
// their status.
func TestTwoAgentsOnOneFieldDoNotFlapIt(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "agents", "ledgers")
	ns := c.Namespace(t)
	_, deployment, _ := strings.Cut(strings.ReplaceAll(growing, "NAMESPACE", ns), "---\n")
	c.Apply(t, deployment)
	ready := map[string]bool{}
	becomeReady := func(n int) {
		for _, pod := range c.WaitPods(t, ns, "app=web", n) {
			if !ready[pod.GetName()] {
				ready[pod.GetName()] = true
				c.RunPod(t, pod, "overlap-node", fmt.Sprintf("127.2.0.%d", len(ready)), 0)
			}
		}
	}
	becomeReady(1)
	apply := func(priority string) {
		c.Apply(t, strings.NewReplacer("NAMESPACE", ns, "PRIORITY", priority).Replace(rivals))
	}
	apply("0")

	s, saw := inCluster(t, c, ns, t.TempDir(), sized, nil, false)
	becomeReady(2)
	require.Eventually(t, func() bool { return strings.Contains(saw.refusal("claims"), "held until") }, waitForAct, 10*time.Millisecond)
	require.Len(t, saw.ended(), 1)
	why := saw.refusal("claims")
	require.Contains(t, why, "replicas is held by scale of "+ns+"/more (held until ")
	require.Contains(t, why, " it wrote replicas 1 -> 2, taken over from test ")
	require.Contains(t, why, ns+"/fewer may write it then, or before if its spec.priority (0) is above that of "+ns+"/more (0)")
	for name, other := range map[string]string{"more": "fewer", "fewer": "more"} {
		require.Eventually(t, func() bool {
			return strings.Contains(runningMessage(t, c, ns, name), "other agents write the same fields:\n"+ns+"/"+other+" writes replicas of "+ns+"/web too")
		}, 30*time.Second, 50*time.Millisecond, "%s: %s", name, runningMessage(t, c, ns, name))
	}
	for _, a := range s.Agents() {
		require.Len(t, a.Overlaps, 1, a.Agent)
	}
	require.NoError(t, s.Stop(context.Background()))
	require.Len(t, saw.ended(), 1)

	s, saw = inCluster(t, c, ns, t.TempDir(), sized, nil, false) // without the journal of the first
	require.Eventually(t, func() bool {
		return strings.Contains(saw.refusal("claims"), "held by scale of "+ns+"/more (held until ")
	}, 30*time.Second, 10*time.Millisecond)
	require.Empty(t, saw.ended())
	apply("5")
	require.Eventually(t, func() bool { return len(saw.ended()) == 1 }, waitForAct, 10*time.Millisecond)
	act := saw.ended()[0]
	require.Equal(t, []any{ns + "/fewer", "replicas 2 -> 1", ns + "/more"}, []any{act.Agent, act.Diff, act.Reverses.Agent})
	require.Eventually(t, func() bool { return strings.Contains(saw.refusal("claims"), "held by scale of "+ns+"/fewer (") }, 30*time.Second, 10*time.Millisecond)
	require.Eventually(t, func() bool { return !strings.Contains(runningMessage(t, c, ns, "more"), "other agents") }, 30*time.Second, 50*time.Millisecond, "the priority decides")
	require.NoError(t, s.Stop(context.Background()))
	require.Len(t, saw.ended(), 1)
}

package app

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// agentStatus is the status of an agent and its generation.
func agentStatus(t *testing.T, c *testcluster.Cluster, ns, agent string) (s manifest.Status, generation int64) {
	t.Helper()
	u, err := c.Client().Dynamic.Resource(agentResource).Namespace(ns).Get(t.Context(), agent, metav1.GetOptions{})
	require.NoError(t, err)
	raw, err := json.Marshal(u.Object["status"])
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &s))
	return s, u.GetGeneration()
}

// is returns "Status Reason" of a condition, "" where it is absent.
func is(s manifest.Status, kind string) string {
	if c := s.Condition(kind); c != nil {
		return c.Status + " " + c.Reason
	}
	return ""
}

// agentEvents counts the Events on an agent by type and reason.
func agentEvents(t *testing.T, c *testcluster.Cluster, ns, agent string) map[string]int {
	t.Helper()
	u, err := c.Client().Dynamic.Resource(agentResource).Namespace(ns).Get(t.Context(), agent, metav1.GetOptions{})
	require.NoError(t, err)
	list, err := c.Client().Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "events"}).Namespace(ns).
		List(t.Context(), metav1.ListOptions{FieldSelector: "involvedObject.kind=Agent,involvedObject.name=" + agent})
	require.NoError(t, err)
	out := map[string]int{}
	for _, e := range list.Items {
		uid, _, _ := unstructured.NestedString(e.Object, "involvedObject", "uid")
		require.Equal(t, string(u.GetUID()), uid, "kubectl describe finds events by it")
		out[fmt.Sprint(e.Object["type"], " ", e.Object["reason"])]++
	}
	return out
}

// A spec that is refused, and one that is right again, are Events on the agent; a process that
// starts meanwhile writes nothing, nor does one that has nothing to do.
func TestAgentEventsAreChangesAlone(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "agents", "ledgers")
	ns := c.Namespace(t)
	agents := c.Client().Dynamic.Resource(agentResource).Namespace(ns)
	c.Apply(t, strings.ReplaceAll(marking, "NS", ns))
	old := `{"status":{"observedGeneration":1,"targets":0,"conditions":[` + // as the program before wrote it
		`{"type":"Accepted","status":"True","reason":"Valid","message":"","lastTransitionTime":"2026-01-01T00:00:00Z"},` +
		`{"type":"Running","status":"True","reason":"Running","message":"","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}`
	_, err := agents.Patch(t.Context(), "needy", types.MergePatchType, []byte(old), metav1.PatchOptions{}, "status")
	require.NoError(t, err)
	g := &granter{c: c, ns: ns, rules: map[string][]any{ns: {
		map[string]any{"apiGroups": []any{"apps"}, "resources": []any{"deployments"}, "verbs": []any{"list", "watch"}},
		map[string]any{"apiGroups": []any{""}, "resources": []any{"pods"}, "verbs": []any{"list", "watch"}},
	}}}
	first := asAccount(t, c, ns, mark)
	g.apply(t)
	became := func(ready string) (s manifest.Status) {
		t.Helper()
		soon(t, ready, func() bool {
			var generation int64
			s, generation = agentStatus(t, c, ns, "needy")
			return s.ObservedGeneration == generation && is(s, manifest.Ready) == ready
		})
		return s
	}
	s := became("True Running")
	require.Equal(t, 2026, s.Condition(manifest.Accepted).LastTransitionTime.Year())
	require.Equal(t, time.January, s.Condition(manifest.Accepted).LastTransitionTime.Month(), "what did not change keeps its time")
	soon(t, "the rights are there", func() bool {
		return agentEvents(t, c, ns, "needy")["Warning MissingRight"] == agentEvents(t, c, ns, "needy")["Normal RightGranted"]
	})

	patch := func(spec string) {
		_, err := agents.Patch(t.Context(), "needy", types.MergePatchType, []byte(`{"spec":`+spec+`}`), metav1.PatchOptions{})
		require.NoError(t, err)
	}
	patch(`{"triggers":[{"name":"nightly","cron":"0 3 * * *","timezone":"Europe/Madird"}]}`) // no schema knows every time zone
	s = became("False Invalid")
	require.Equal(t, "True Invalid", is(s, manifest.Stalled))
	require.Equal(t, "True LastGood", is(s, manifest.Running))
	soon(t, "an event", func() bool { return agentEvents(t, c, ns, "needy")["Warning Invalid"] == 1 })

	require.NoError(t, first.Stop(context.Background()))
	second := asAccount(t, c, ns, mark)
	<-second.cluster.acceptance.Judged()
	patch(`{"triggers":[{"name":"tick","every":"4s"}],"mode":"paused"}`)
	s = became("True Paused")
	require.Empty(t, is(s, manifest.Stalled))
	soon(t, "accepted again", func() bool { return agentEvents(t, c, ns, "needy")["Normal Accepted"] == 1 })
	events := agentEvents(t, c, ns, "needy")
	require.Equal(t, 1, events["Warning Invalid"], "the start of a process is no change")

	version := func() string {
		u, err := agents.Get(t.Context(), "needy", metav1.GetOptions{})
		require.NoError(t, err)
		return u.GetResourceVersion()
	}
	soon(t, "nothing more is written", func() bool {
		before := version()
		engine.Sleep(t.Context(), fastClock{time.Now()}, 40*time.Second) // longer than the pace of any write
		return before == version()
	})
}

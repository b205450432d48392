package events

import (
	"context"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/clusterview"
)

func TestMain(m *testing.M) { testcluster.Main(m) }

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// testView follows the Deployments of a new namespace.
func testView(t *testing.T, c *testcluster.Cluster) (v *clusterview.View, namespace string) {
	t.Helper()
	v, namespace = clusterview.New(clusterview.Options{Client: c.Client()}), c.Namespace(t)
	t.Cleanup(func() { require.NoError(t, v.Close(context.Background())) })
	f, err := v.Fleet(engine.Selector{APIVersion: "apps/v1", Kind: "Deployment", Namespace: namespace})
	require.NoError(t, err)
	c.Apply(t, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: `+namespace+`}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: "example.com/digits:1"}]}
`)
	targets, err := f.Targets(testContext(t))
	require.NoError(t, err)
	require.Len(t, targets, 1)
	return v, namespace
}

// eventsIn lists our events of a namespace.
func eventsIn(t *testing.T, c *testcluster.Cluster, namespace string) []unstructured.Unstructured {
	t.Helper()
	list, err := c.Client().Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "events"}).Namespace(namespace).
		List(testContext(t), metav1.ListOptions{FieldSelector: "source=scanflow"})
	require.NoError(t, err)
	return list.Items
}

// A quick act can end before the engine reports its firing: its event has the reason all the same.
func TestAnEventSaysWhyWhicheverComesFirst(t *testing.T) {
	c := testcluster.Shared(t)
	v, ns := testView(t, c)
	r := NewRecorder(Options{Client: c.Client(), View: v, Instance: "test", Clock: engine.WallClock{}, Log: hclog.NewNullLogger()})
	target := engine.TargetID{Kind: "Deployment", Namespace: ns, Name: "web"}
	act := func(identity, verb, reason string) engine.Act {
		return engine.Act{
			Intent: engine.Intent{
				Change: engine.Change{Proposal: engine.Proposal{Identity: identity, Agent: ns + "/planner", Strategy: "serving.autoscale", Primitive: verb, Target: target.Target(), Reason: reason}, Diff: "replicas 1 -> 3"},
			},
			Outcome: engine.Outcome{Status: engine.Done, Detail: "3 of 3 ready"}, EndedAt: time.Now(),
		}
	}
	r.Acted(act("one", "scale", "load_high"))
	r.Fired(engine.FiringRecord{Agent: ns + "/planner", Decisions: []engine.Decision{
		{Target: target, Primitive: "scale", Verdict: engine.Admitted, Identity: "one", Reason: "load_high"},
		{Target: target, Primitive: "place", Verdict: engine.Refused, By: "guards.budget", Detail: "30 acts in the last hour", Reason: "crowded"},
		{Target: target, Primitive: "restart", Verdict: engine.Refused, By: "guards.cooldown", Detail: "cools down"},
	}})
	r.Acted(act("two", "annotate", "")) // an earlier leader began it
	require.NoError(t, r.Close(testContext(t)))
	r.Acted(act("three", "restart", "late")) // after Close

	messages := map[string]string{} // by reason
	for _, e := range eventsIn(t, c, ns) {
		uid, _, _ := unstructured.NestedString(e.Object, "involvedObject", "uid")
		require.NotEmpty(t, uid, "kubectl describe finds events by it")
		reason, _, _ := unstructured.NestedString(e.Object, "reason")
		messages[reason], _, _ = unstructured.NestedString(e.Object, "message")
	}
	require.Equal(t, map[string]string{
		"Scale":        "replicas 1 -> 3: 3 of 3 ready (strategy serving.autoscale of agent " + ns + "/planner, load_high; change one)",
		"PlaceRefused": "30 acts in the last hour (by guards.budget; strategy  of agent " + ns + "/planner, crowded)",
		"Annotate":     "replicas 1 -> 3: 3 of 3 ready (strategy serving.autoscale of agent " + ns + "/planner; change two)",
	}, messages)
}

// A write that is denied at each firing does not fill the cluster with events: the same
// failure is recorded again after ten minutes, a different one at once, and so is the same
// one after a success.
func TestAFailureThatRepeatsIsRecordedOnce(t *testing.T) {
	c := testcluster.Shared(t)
	v, ns := testView(t, c)
	clock := engine.NewManualClock(time.Now())
	r := NewRecorder(Options{Client: c.Client(), View: v, Instance: "test", Clock: clock, Log: hclog.NewNullLogger()})
	ended := func(target, detail string, status engine.Status) {
		r.Acted(engine.Act{
			Intent: engine.Intent{
				Change: engine.Change{Proposal: engine.Proposal{Identity: detail, Agent: ns + "/planner", Primitive: "scale", Target: engine.Target{Kind: "Deployment", Namespace: ns, Name: target}}, Diff: "replicas 1 -> 5"},
			},
			Outcome: engine.Outcome{Status: status, Detail: detail},
		})
	}
	for range 3 {
		ended("a", "denied", engine.Failed) // 1
	}
	ended("b", "denied", engine.Failed)        // 2: another target
	ended("a", "denied by two", engine.Failed) // 3
	ended("a", "denied", engine.Failed)        // 4
	ended("a", "all ready", engine.Done)       // 5
	ended("a", "denied", engine.Failed)        // 6
	clock.Advance(9 * time.Minute)
	ended("a", "denied", engine.Failed)
	clock.Advance(time.Minute)
	ended("a", "denied", engine.Failed) // 7
	require.NoError(t, r.Close(testContext(t)))
	require.Len(t, eventsIn(t, c, ns), 7)
}

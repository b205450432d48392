package kubernetes

import (
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/engine"
)

// eventsOf are the messages about an object, by their reasons.
func eventsOf(t *testing.T, b *bench, name string) map[string]string {
	t.Helper()
	list, err := b.on(t, "v1", "Event").List(testContext(t), metav1.ListOptions{FieldSelector: "involvedObject.name=" + name + ",source=scanflow"})
	require.NoError(t, err)
	out := map[string]string{}
	for _, e := range list.Items {
		reason, _, _ := unstructured.NestedString(e.Object, "reason")
		out[reason], _, _ = unstructured.NestedString(e.Object, "message")
	}
	return out
}

// A quick act ends before its firing is told of: its event has the reason all the same.
func TestAnEventSaysWhyWhicheverComesFirst(t *testing.T) {
	b := newBench(t)
	b.create(t, "kubectl-create", web(b.ns, "web", 1, ""))
	b.settled(t, "apps/v1", "Deployment", "web")
	r := NewRecorder(RecorderOptions{Client: b.Client, View: b.View, Instance: "test", Clock: b.Clock, Log: hclog.NewNullLogger()})
	target := engine.TargetID{Kind: "Deployment", Namespace: b.ns, Name: "web"}
	act := func(identity, verb, reason string) engine.Act {
		return engine.Act{
			Intent: engine.Intent{
				Change: engine.Change{Proposal: engine.Proposal{Identity: identity, Agent: b.ns + "/planner", Strategy: "serving.autoscale", Primitive: verb, Target: target.Target(), Reason: reason}, Diff: "replicas 1 -> 3"},
			},
			Outcome: engine.Outcome{Status: engine.Done, Detail: "3 of 3 ready"}, EndedAt: time.Now(),
		}
	}
	r.Acted(act("one", "scale", "load_high"))
	r.Fired(engine.FiringRecord{Agent: b.ns + "/planner", Decisions: []engine.Decision{
		{Target: target, Primitive: "scale", Verdict: engine.Admitted, Identity: "one", Reason: "load_high"},
		{Target: target, Primitive: "place", Verdict: engine.Refused, By: "guards.budget", Detail: "30 acts in the last hour", Reason: "crowded"},
		{Target: target, Primitive: "restart", Verdict: engine.Refused, By: "guards.cooldown", Detail: "cools down"},
	}})
	r.Acted(act("two", "annotate", "")) // an earlier leader began it
	require.NoError(t, r.Close(testContext(t)))
	r.Acted(act("three", "restart", "late")) // of an act that nobody waited for

	require.Equal(t, map[string]string{
		"Scale":        "replicas 1 -> 3: 3 of 3 ready (strategy serving.autoscale of agent " + b.ns + "/planner, load_high; change one)",
		"PlaceRefused": "30 acts in the last hour (by guards.budget; strategy  of agent " + b.ns + "/planner, crowded)",
		"Annotate":     "replicas 1 -> 3: 3 of 3 ready (strategy serving.autoscale of agent " + b.ns + "/planner; change two)",
	}, eventsOf(t, b, "web"))
}

// A write that is denied at each firing does not fill the cluster with events: the same
// failure is told of again after ten minutes, another one at once, and so is the same
// one after a success.
func TestAFailureThatRepeatsIsToldOnce(t *testing.T) {
	b := newBench(t)
	clock := engine.NewManualClock(time.Now())
	r := NewRecorder(RecorderOptions{Client: b.Client, View: b.View, Instance: "test", Clock: clock, Log: hclog.NewNullLogger()})
	ended := func(target, detail string, status engine.Status) {
		r.Acted(engine.Act{
			Intent: engine.Intent{
				Change: engine.Change{Proposal: engine.Proposal{Identity: detail, Agent: b.ns + "/planner", Primitive: "scale", Target: engine.Target{Kind: "Deployment", Namespace: b.ns, Name: target}}, Diff: "replicas 1 -> 5"},
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
	list, err := b.on(t, "v1", "Event").List(testContext(t), metav1.ListOptions{FieldSelector: "source=scanflow"})
	require.NoError(t, err)
	require.Len(t, list.Items, 7)
}

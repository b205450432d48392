package events

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

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

// recorderOf makes a recorder of the agent planner of a namespace, which is its Agent's.
func recorderOf(c *testcluster.Cluster, v *clusterview.View, namespace string, clock engine.Clock) *Recorder {
	return NewRecorder(Options{
		Client: c.Client(), View: v, Instance: "test", Clock: clock, Log: hclog.NewNullLogger(),
		AgentUID: func(agent string) types.UID {
			if agent == namespace+"/planner" {
				return "uid-of-planner"
			}
			return ""
		},
	})
}

// actOn returns an act that is done.
func actOn(namespace, target, identity, verb string) engine.Act {
	return engine.Act{
		Intent: engine.Intent{Firing: "f-1", Change: engine.Change{
			Proposal: engine.Proposal{
				Identity: identity, Agent: namespace + "/planner", Strategy: "serving.autoscale", Primitive: verb, Reason: "load_high",
				Target: engine.Target{Kind: "Deployment", Namespace: namespace, Name: target},
			},
			Diff: "replicas 1 -> 3",
		}},
		Outcome: engine.Outcome{Status: engine.Done, Detail: "3 of 3 ready"}, EndedAt: time.Now(),
	}
}

func firing(namespace string, decisions []engine.Decision, acts ...engine.Act) engine.FiringRecord {
	f := engine.FiringRecord{ID: "f-1", Agent: namespace + "/planner", Decisions: decisions}
	for _, a := range acts {
		f.Intents = append(f.Intents, a.Intent)
	}
	return f
}

// messagesIn returns our events of a namespace: "kind name, type reason: message".
func messagesIn(t *testing.T, c *testcluster.Cluster, namespace string) []string {
	t.Helper()
	out := []string{}
	for _, u := range eventsIn(t, c, namespace) {
		var e corev1.Event
		require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &e))
		require.Equal(t, e.InvolvedObject.Kind == "Agent" || e.InvolvedObject.Name == "web", e.InvolvedObject.UID != "", "kubectl describe finds events by it")
		out = append(out, strings.ReplaceAll(fmt.Sprintf("%s %s, %s %s: %s", e.InvolvedObject.Kind, e.InvolvedObject.Name, e.Type, e.Reason, e.Message), namespace, "NS"))
	}
	slices.Sort(out)
	return out
}

// A quick act can end before the engine reports its firing: its event has the reason all the
// same, and there is one.
func TestAnEventSaysWhyWhicheverComesFirst(t *testing.T) {
	for _, actedFirst := range []bool{true, false} {
		t.Run(fmt.Sprint("acted first ", actedFirst), func(t *testing.T) {
			c := testcluster.Shared(t)
			v, ns := testView(t, c)
			r := recorderOf(c, v, ns, engine.WallClock{})
			target := engine.TargetID{Kind: "Deployment", Namespace: ns, Name: "web"}
			act := actOn(ns, "web", "one", "scale")
			fired := firing(ns, []engine.Decision{
				{Target: target, Primitive: "scale", Verdict: engine.Admitted, Identity: "one", Reason: "load_high"},
				{Target: target, Primitive: "place", Verdict: engine.Refused, By: "guards.budget", Detail: "30 acts in the last hour", Reason: "crowded", Strategy: "s"},
				{Target: target, Primitive: "restart", Verdict: engine.Refused, By: "guards.cooldown", Detail: "cools down"},
			}, act)
			if actedFirst {
				r.Acted(act)
				r.Fired(fired)
			} else {
				r.Fired(fired)
				r.Acted(act)
			}
			require.NoError(t, r.Close(testContext(t)))
			r.Acted(actOn(ns, "web", "three", "restart"))
			require.Equal(t, []string{
				"Agent planner, Normal Scale: scale NS/web: replicas 1 -> 3: 3 of 3 ready (strategy serving.autoscale of agent NS/planner, load_high; change one)",
				"Deployment web, Warning PlaceRefused: 30 acts in the last hour (by guards.budget; strategy s of agent NS/planner, crowded)",
			}, messagesIn(t, c, ns))
		})
	}
}

// The acts of a turn that went well are one event on the agent. Those that a person must see
// are events on their targets besides.
func TestATurnIsOneEvent(t *testing.T) {
	c := testcluster.Shared(t)
	v, ns := testView(t, c)
	clock := engine.NewManualClock(time.Now())
	r := recorderOf(c, v, ns, clock)
	var acts []engine.Act
	for i := range 9 {
		acts = append(acts, actOn(ns, fmt.Sprint("web-", i), fmt.Sprint("id-", i), "scale"))
	}
	acts[6].Outcome = engine.Outcome{Status: engine.Failed, Detail: "denied"}
	acts[7].TakenOver = "kubectl"
	acts[5].At = time.Unix(1000, 0)
	acts[5].Reverses = &engine.Reversal{Agent: ns + "/other", Diff: "replicas 3 -> 1", At: time.Unix(960, 0)}
	acts[8].Primitive = "place"
	r.Fired(firing(ns, nil, acts...))
	for _, a := range acts[:8] {
		r.Acted(a)
	}
	stalled := acts[8]
	stalled.Outcome = engine.Outcome{Status: engine.Running, Obstacle: "exceeded quota: pods"}
	r.Stalled(stalled)
	r.Stalled(stalled)
	stalled.Outcome.Obstacle = ""
	r.Stalled(stalled)
	require.Eventually(t, func() bool { clock.Advance(settle); return len(eventsIn(t, c, ns)) == 5 }, 10*time.Second, 10*time.Millisecond) // the ninth takes long: the others are not held back by it
	r.Acted(acts[8])
	dry := actOn(ns, "web-0", "dry", "scale")
	dry.DryRun = true
	r.Acted(dry)
	require.NoError(t, r.Close(testContext(t)))
	require.Equal(t, []string{
		"Agent planner, Normal Place: place NS/web-8: replicas 1 -> 3: 3 of 3 ready (strategy serving.autoscale of agent NS/planner, load_high; change id-8)",
		"Agent planner, Normal Scale: scale on 7 targets; 1 failed, with an event on each target: NS/web-0 replicas 1 -> 3, NS/web-1 replicas 1 -> 3, NS/web-2 replicas 1 -> 3, " +
			"NS/web-3 replicas 1 -> 3, NS/web-4 replicas 1 -> 3 and 2 more (strategy serving.autoscale, load_high; firing f-1)",
		"Deployment web-5, Warning ScaleReversed: replicas 1 -> 3: 3 of 3 ready; it reverses replicas 3 -> 1 by NS/other, 40s ago (strategy serving.autoscale of agent NS/planner, load_high; change id-5)",
		"Deployment web-6, Warning ScaleFailed: replicas 1 -> 3: denied (strategy serving.autoscale of agent NS/planner, load_high; change id-6)",
		"Deployment web-7, Normal ScaleTakenOver: replicas 1 -> 3: 3 of 3 ready (strategy serving.autoscale of agent NS/planner, load_high; change id-7)",
		"Deployment web-8, Warning PlaceStalled: replicas 1 -> 3: exceeded quota: pods (strategy serving.autoscale of agent NS/planner, load_high; change id-8)",
	}, messagesIn(t, c, ns))
}

// An agent that is new takes over a fleet: its turn stays a handful of events.
func TestATurnThatTakesOverAFleet(t *testing.T) {
	c := testcluster.Shared(t)
	v, ns := testView(t, c)
	r := recorderOf(c, v, ns, engine.WallClock{})
	var acts []engine.Act
	for i := range 40 {
		a := actOn(ns, fmt.Sprint("web-", i), fmt.Sprint("id-", i), "scale")
		a.TakenOver = "kubectl"
		acts = append(acts, a)
	}
	r.Fired(firing(ns, nil, acts...))
	for _, a := range acts {
		r.Acted(a)
	}
	require.NoError(t, r.Close(testContext(t)))
	messages := messagesIn(t, c, ns)
	require.Len(t, messages, 1+maxTakenOver)
	require.Contains(t, messages[0], "Agent planner, Normal Scale: scale on 40 targets; fields of 40 were taken over, the first 5 with an event on each: NS/web-0 replicas 1 -> 3,")
}

// Acts that an earlier leader began, and acts of an agent that is gone, leave nothing behind.
func TestActsWithoutAFiringOfThisProcess(t *testing.T) {
	c := testcluster.Shared(t)
	v, ns := testView(t, c)
	clock := engine.NewManualClock(time.Now())
	r := recorderOf(c, v, ns, clock)
	for i := range maxTurns + 5 {
		a := actOn(ns, "web", fmt.Sprint(i), "scale")
		a.Firing, a.Reason = fmt.Sprint("earlier-", i), ""
		if i > 0 {
			a.Agent = ns + "/gone"
		}
		r.Acted(a)
	}
	require.LessOrEqual(t, len(r.turns.by), maxTurns)
	require.Eventually(t, func() bool { clock.Advance(settle); return len(eventsIn(t, c, ns)) == 1 }, 10*time.Second, 10*time.Millisecond)
	require.NoError(t, r.Close(testContext(t)))
	require.Empty(t, r.turns.by)
	require.Equal(t, []string{
		"Agent planner, Normal Scale: scale NS/web: replicas 1 -> 3: 3 of 3 ready (strategy serving.autoscale of agent NS/planner; change 0)",
	}, messagesIn(t, c, ns))
}

// A write that is denied at each firing does not fill the cluster with events: the same
// failure is recorded again after ten minutes, a different one at once, and so is the same
// one after a success.
func TestAFailureThatRepeatsIsRecordedOnce(t *testing.T) {
	c := testcluster.Shared(t)
	v, ns := testView(t, c)
	clock := engine.NewManualClock(time.Now())
	r := recorderOf(c, v, ns, clock)
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
	require.Len(t, eventsIn(t, c, ns), 6+1, "six failures on targets, and the success on the agent")
}

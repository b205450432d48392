package clusterview

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/engine"
)

func withPods(s engine.Selector) engine.Selector {
	s.Pods = true
	return s
}

func TestPodsOfATarget(t *testing.T) {
	c, v := sharedView(t)
	ns := c.Namespace(t)
	c.Apply(t, web(ns, "web", 2, "")+web(ns, "none", 0, ""))
	plain, withThem := testFleet(t, v, deploymentsIn(ns, nil)), testFleet(t, v, withPods(deploymentsIn(ns, nil)))
	pods := c.WaitPods(t, ns, "app=web", 2)
	c.RunPod(t, pods[0], "n1", "10.0.0.1", 2)
	c.Patch(t, podsResource, ns, pods[0].GetName(), `{"status": {"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-02T03:04:05Z"}]}}`, "status")
	ready := engine.TargetPod{
		Name: pods[0].GetName(), Ready: true, Restarts: 2, StartedNS: pods[0].GetCreationTimestamp().UnixNano(),
		ReadySinceNS: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixNano(),
	}
	waits := engine.TargetPod{Name: pods[1].GetName(), StartedNS: pods[1].GetCreationTimestamp().UnixNano()}
	want := map[string][]engine.TargetPod{"web": {ready, waits}, "none": {}}
	if ready.Name > waits.Name {
		want["web"] = []engine.TargetPod{waits, ready}
	}
	podsOf := func(f engine.Fleet) map[string][]engine.TargetPod {
		out := map[string][]engine.TargetPod{}
		for _, target := range targetsOf(t, f) {
			out[target.Name] = target.Pods
		}
		return out
	}
	soon(t, "the pods are in the targets", func() bool { return cmp.Equal(want, podsOf(withThem)) })
	require.Equal(t, map[string][]engine.TargetPod{"web": nil, "none": nil}, podsOf(plain), "nobody asked for them")

	// A pod that is being deleted is left out, though it is still there.
	c.Patch(t, podsResource, ns, waits.Name, `{"metadata": {"finalizers": ["example.com/wait"]}}`)
	c.Delete(t, podsResource, ns, waits.Name)
	id := engine.TargetID{Kind: "Deployment", Namespace: ns, Name: "web"}
	soon(t, "it terminates, and another is there", func() bool {
		own, desired, known := v.OwnPods(id)
		return known && desired == 2 && len(own) == 3
	})
	soon(t, "it is left out", func() bool {
		of := podsOf(withThem)["web"]
		for _, p := range of {
			if p.Name == waits.Name {
				return false
			}
		}
		return len(of) == 2
	})
	own, _, _ := v.OwnPods(id)
	for _, p := range own {
		require.Equal(t, p.Name == waits.Name, p.Terminating)
		require.NotEmpty(t, p.UID)
	}
	c.Patch(t, podsResource, ns, waits.Name, `{"metadata": {"finalizers": null}}`)
	_, _, known := v.OwnPods(engine.TargetID{Kind: "Deployment", Namespace: ns, Name: "absent"})
	require.False(t, known)
}

// The pods of a custom kind are found by the selector that its scale subresource names. Without
// it they are unknown, not none.
func TestPodsOfACustomTarget(t *testing.T) {
	c, v := sharedView(t)
	ns := c.Namespace(t)
	c.Apply(t, definition("pods.example.com", "Train", "{status: {}, scale: {specReplicasPath: .spec.workers, statusReplicasPath: .status.workers, labelSelectorPath: .status.selector}}")+
		definition("pods.example.com", "Plain", "{status: {}}"))
	for _, kind := range []string{"Train", "Plain"} {
		soon(t, "the kinds are served", func() bool { _, err := c.Client().Kinds.Find("pods.example.com/v1", kind); return err == nil })
	}
	c.Apply(t, strings.ReplaceAll(train(ns), "scale.example.com", "pods.example.com")+"---\napiVersion: pods.example.com/v1\nkind: Plain\nmetadata: {name: p, namespace: "+ns+"}\n")
	of := func(kind string) engine.Selector {
		return engine.Selector{APIVersion: "pods.example.com/v1", Kind: kind, Namespace: ns, Pods: true}
	}
	f := testFleet(t, v, of("Train"))
	soon(t, "the object is there", func() bool { return len(targetsOf(t, f)) == 1 })
	require.Nil(t, targetsOf(t, f)[0].Pods, "its selector is not known yet")
	c.Patch(t, schema.GroupVersionResource{Group: "pods.example.com", Version: "v1", Resource: "trains"}, ns, "t", `{"status": {"workers": 1, "selector": "train=t,tier in (any)"}}`, "status")
	soon(t, "its pod is found", func() bool { p := targetsOf(t, f)[0].Pods; return len(p) == 1 && p[0].Name == "t-0" })

	_, err := testFleet(t, v, of("Plain")).Targets(testContext(t))
	require.ErrorContains(t, err, "spec.targets.pods: the pods of a Plain.pods.example.com can't be found: the kind has no scale subresource; leave pods out, or select the workloads that it makes")
}

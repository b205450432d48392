package clusterview

import (
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"pgregory.net/rapid"

	"github.com/scanflow-k8s/scanflow/engine"
)

func TestPodsBelongToTheirRoot(t *testing.T) {
	c, v := sharedView(t)
	ns := c.Namespace(t)
	c.Apply(t, web(ns, "a", 3, "")+web(ns, "a-b", 1, "")+`---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: a, namespace: `+ns+`}
spec:
  replicas: 1
  selector: {matchLabels: {set: a}}
  template:
    metadata: {labels: {set: a}}
    spec: {containers: [{name: main, image: "example.com/set:1"}]}
`)
	deployments, sets := testFleet(t, v, deploymentsIn(ns, nil)), testFleet(t, v, engine.Selector{APIVersion: "apps/v1", Kind: "StatefulSet", Namespace: ns})
	require.Len(t, targetsOf(t, deployments), 2)
	require.Len(t, targetsOf(t, sets), 1)
	pods := c.WaitPods(t, ns, "app=a", 3)
	c.RunPod(t, pods[0], "n1", "10.0.0.1", 2)
	c.RunPod(t, pods[1], "n1", "fd00::1", 0)
	c.WaitPods(t, ns, "set=a", 1)

	id := engine.TargetID{Kind: "Deployment", Namespace: ns, Name: "a"}
	var w engine.Workload
	soon(t, "two are ready", func() bool {
		w, _ = v.Workload(id)
		return w.Ready == 2 && len(w.Pods) == 3 && w.Conditions["Available"] != "" && w.Restarts == 2
	})
	require.Equal(t, 3, w.Desired)
	require.Equal(t, []string{"example.com/digits:1", "example.com/log:2"}, w.Images)
	byName := map[string]engine.Pod{}
	for _, p := range w.Pods {
		byName[p.Name] = p
	}
	require.Empty(t, cmp.Diff(engine.Pod{
		Name: pods[0].GetName(), Node: "n1", Ready: true, Restarts: 2,
		Ports: map[string]string{"http": "10.0.0.1:8080", "8080": "10.0.0.1:8080", "9090": "10.0.0.1:9090"},
	}, byName[pods[0].GetName()]))
	require.Equal(t, "[fd00::1]:8080", byName[pods[1].GetName()].Ports["http"])
	require.Empty(t, byName[pods[2].GetName()].Ports, "nobody can dial a pod without an address")
	for _, target := range targetsOf(t, deployments) {
		if target.Name == "a" {
			require.Equal(t, []string{"n1"}, target.Placement)
			require.Equal(t, &engine.Replicas{Desired: 3, Ready: 2}, target.Replicas)
		}
	}
	for kind, name := range map[string]string{"Deployment": "a-b", "StatefulSet": "a"} {
		soon(t, "each has its own pod", func() bool {
			w, ok := v.Workload(engine.TargetID{Kind: kind, Namespace: ns, Name: name})
			return ok && len(w.Pods) == 1
		})
	}

	// A pod with a finalizer stays, terminating.
	c.Patch(t, podsResource, ns, pods[0].GetName(), `{"metadata": {"finalizers": ["example.com/wait"]}}`)
	c.Delete(t, podsResource, ns, pods[0].GetName())
	soon(t, "a pod on its way out is no replica", func() bool {
		w, _ = v.Workload(id)
		for _, p := range w.Pods {
			if p.Name == pods[0].GetName() {
				return false
			}
		}
		return len(w.Pods) == 3
	})
	_, err := c.Client().Dynamic.Resource(podsResource).Namespace(ns).Get(context.Background(), pods[0].GetName(), metav1.GetOptions{})
	require.NoError(t, err, "it is still there")
	require.Equal(t, 2, w.Restarts)
	c.Patch(t, podsResource, ns, pods[0].GetName(), `{"metadata": {"finalizers": null}}`)
	soon(t, "its restarts go with it", func() bool { w, _ := v.Workload(id); return w.Restarts == 0 })
}

// After any changes of pods, the index finds the same pods as a scan of all.
func TestPodIndex(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, now := newPodIndex(), map[string]*cachedPod{}
		selectors := []string{"app=a", "app in (a),tier=y", "tier!=x", "app in (a,b)", "app", "tier=none"}
		for range rapid.IntRange(1, 30).Draw(t, "changes") {
			name := rapid.SampledFrom([]string{"p", "q", "r", "s"}).Draw(t, "pod")
			var next *cachedPod
			if rapid.Bool().Draw(t, "there") {
				owner := podOwner{"apps", "Deployment", "ns", rapid.SampledFrom([]string{"one", "two"}).Draw(t, "owner")}
				next = &cachedPod{identity: identity{namespace: "ns", name: name}, owners: []podOwner{owner}, labels: map[string]string{
					"app": rapid.SampledFrom([]string{"a", "b"}).Draw(t, "app"), "tier": rapid.SampledFrom([]string{"x", "y"}).Draw(t, "tier"),
				}}
			}
			if now[name] != nil || next != nil {
				x.update(now[name], next)
			}
			delete(now, name)
			if next != nil {
				now[name] = next
			}
			selector := rapid.SampledFrom(selectors).Draw(t, "selector")
			want := map[string][]string{}
			for _, name := range slices.Sorted(maps.Keys(now)) {
				owner := now[name].owners[0].name
				want[owner] = append(want[owner], name)
				if parsed, err := labels.Parse(selector); err == nil && parsed.Matches(labels.Set(now[name].labels)) {
					want["selected"] = append(want["selected"], name)
				}
			}
			for _, owner := range []string{"one", "two", "selected"} {
				var got []string
				for _, p := range x.of(podOwner{"apps", "Deployment", "ns", owner}, map[string]string{"selected": selector}[owner]) {
					got = append(got, p.name)
				}
				require.Equal(t, want[owner], got, owner+" "+selector)
			}
		}
	})
}

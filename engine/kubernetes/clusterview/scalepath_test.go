package clusterview

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// definition is a custom resource definition of a namespaced kind that keeps every
// field; subresources is in flow style.
func definition(group, kind, subresources string) string {
	if subresources == "" {
		subresources = "{}"
	}
	return strings.NewReplacer("GROUP", group, "KIND", kind, "LOWER", strings.ToLower(kind), "SUB", subresources).Replace(`---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: LOWERs.GROUP}
spec:
  group: GROUP
  scope: Namespaced
  names: {kind: KIND, plural: LOWERs, singular: LOWER, listKind: KINDList}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: SUB
    schema:
      openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}
`)
}

// train is an object of the kind Train, and a pod that its selector takes.
func train(namespace string) string {
	return strings.ReplaceAll(`---
apiVersion: scale.example.com/v1
kind: Train
metadata: {name: t, namespace: NS}
spec: {workers: 4, replicas: 99}
---
apiVersion: v1
kind: Pod
metadata: {name: t-0, namespace: NS, labels: {train: t, tier: any}}
spec: {containers: [{name: main, image: "example.com/train:1", ports: [{name: http, containerPort: 80}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: u-0, namespace: NS, labels: {train: u}}
spec: {containers: [{name: main, image: "example.com/train:1"}]}
`, "NS", namespace)
}

func TestReplicasOfACustomKind(t *testing.T) {
	c, v := sharedView(t)
	ns := c.Namespace(t)
	c.Apply(t, definition("scale.example.com", "Train", "{status: {}, scale: {specReplicasPath: .spec.workers, statusReplicasPath: .status.workers, labelSelectorPath: .status.selector}}")+
		definition("plain.example.com", "Plain", "{status: {}}"))
	trains := schema.GroupVersionResource{Group: "scale.example.com", Version: "v1", Resource: "trains"}
	served := func(kind, apiVersion string) func() bool {
		return func() bool { _, err := c.Client().Kinds.Find(apiVersion, kind); return err == nil }
	}
	soon(t, "the kinds are served", served("Train", "scale.example.com/v1"))
	soon(t, "the kinds are served", served("Plain", "plain.example.com/v1"))
	c.Apply(t, train(ns)+"---\napiVersion: plain.example.com/v1\nkind: Plain\nmetadata: {name: p, namespace: "+ns+"}\nspec: {replicas: 3}\n")
	c.Patch(t, trains, ns, "t", `{"status": {"workers": 2, "selector": "train=t,tier in (any)", "observedGeneration": 1, "conditions": [{"type": "Serving", "status": "Unknown"}]}}`, "status")
	for _, p := range append(c.WaitPods(t, ns, "train=t", 1), c.WaitPods(t, ns, "train=u", 1)...) {
		c.RunPod(t, p, "n7", "10.0.0.7", 1)
	}
	f := testFleet(t, v, engine.Selector{APIVersion: "scale.example.com/v1", Kind: "Train", Namespace: ns})
	soon(t, "its pod is ready", func() bool {
		targets := targetsOf(t, f)
		return len(targets) == 1 && cmp.Equal(targets[0].Replicas, &engine.Replicas{Desired: 4, Ready: 1}) && cmp.Equal(targets[0].Placement, []string{"n7"})
	})
	id := engine.TargetID{Kind: "Train", Namespace: ns, Name: "t"}
	w, ok := v.Workload(id)
	require.True(t, ok)
	require.Empty(t, cmp.Diff(engine.Workload{
		Desired: 4, Ready: 1, Restarts: 1, Images: []string{"example.com/train:1"}, Conditions: map[string]string{"Serving": "Unknown"},
		Pods: []engine.Pod{{Name: "t-0", Node: "n7", Ready: true, Restarts: 1, Ports: map[string]string{"http": "10.0.0.7:80", "80": "10.0.0.7:80"}}},
	}, w))

	s, ok := v.Scalable(id)
	require.True(t, ok)
	require.Equal(t, []int{4, 2, 1}, []int{s.Desired, s.Current, s.Ready})
	require.Equal(t, "trains", s.Mapping.Resource.Resource)
	require.Len(t, s.ReplicaOwners, 1, "the test alone wrote the workers; the status is another's")
	require.Equal(t, "test", s.ReplicaOwners[0].Manager)
	require.False(t, s.ReplicaOwners[0].Time.IsZero())

	// Another manager writes by the scale subresource.
	c.Patch(t, trains, ns, "t", `{"spec": {"replicas": 5}}`, "scale")
	soon(t, "the write is seen", func() bool { s, _ = v.Scalable(id); return s.Desired == 5 })
	require.Len(t, s.ReplicaOwners, 1)
	require.Equal(t, "scale", s.ReplicaOwners[0].Subresource)

	plain := testFleet(t, v, engine.Selector{APIVersion: "plain.example.com/v1", Kind: "Plain", Namespace: ns})
	require.Nil(t, targetsOf(t, plain)[0].Replicas, "its definition says that it can't be scaled")
	_, ok = v.Scalable(engine.TargetID{Kind: "Plain", Namespace: ns, Name: "p"})
	require.False(t, ok)
}

func TestADefinitionThatMayNotBeReadIsGuessed(t *testing.T) {
	c, _ := sharedView(t)
	ns := c.Namespace(t)
	c.Apply(t, definition("guess.example.com", "Guess", "{scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}}")+strings.ReplaceAll(`---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: viewer, namespace: NS}
rules: [{apiGroups: ["guess.example.com", ""], resources: [guesss, pods], verbs: [list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: viewer, namespace: NS}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: viewer}
subjects: [{kind: ServiceAccount, name: viewer, namespace: NS}]
`, "NS", ns))
	client, err := apiclient.New(apiclient.Options{Kubeconfig: c.KubeconfigFor(t, ns, "viewer")})
	require.NoError(t, err)
	soon(t, "the kind is served", func() bool { _, err := c.Client().Kinds.Find("guess.example.com/v1", "Guess"); return err == nil })
	c.Apply(t, "apiVersion: guess.example.com/v1\nkind: Guess\nmetadata: {name: g, namespace: "+ns+"}\nspec: {replicas: 3}\n---\napiVersion: guess.example.com/v1\nkind: Guess\nmetadata: {name: h, namespace: "+ns+"}\n")
	v := testView(t, Options{Client: client, Namespace: ns})
	f := testFleet(t, v, engine.Selector{APIVersion: "guess.example.com/v1", Kind: "Guess", Namespace: ns})
	soon(t, "the objects are known", func() bool {
		targets, err := f.Targets(testContext(t))
		return err == nil && len(targets) == 2
	})
	for _, target := range targetsOf(t, f) {
		if target.Name == "g" {
			require.Equal(t, 3, target.Replicas.Desired)
		} else {
			require.Nil(t, target.Replicas)
		}
	}
}

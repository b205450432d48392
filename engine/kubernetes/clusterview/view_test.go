package clusterview

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

func TestFleetsBySelector(t *testing.T) {
	c, v := sharedView(t)
	ns, other := c.Namespace(t), c.Namespace(t)
	c.Apply(t, web(ns, "a", 3, "tier: front")+web(ns, "b", 0, "tier: front")+web(ns, "c", 1, "tier: back")+web(other, "d", 1, "tier: front")+`---
apiVersion: v1
kind: ConfigMap
metadata: {name: registry, namespace: `+ns+`, labels: {tier: front}, annotations: {scanflow.dev/model: "digits/4"}}
`)
	front := map[string]string{"tier": "front"}
	require.ElementsMatch(t, []string{"a", "b"}, targetNames(targetsOf(t, testFleet(t, v, deploymentsIn(ns, front)))))
	require.ElementsMatch(t, []string{"a", "b", "c"}, targetNames(targetsOf(t, testFleet(t, v, deploymentsIn(ns, nil)))))
	require.ElementsMatch(t, []string{"a", "b", "d"}, targetNames(targetsOf(t, testFleet(t, v, deploymentsIn("", front)))))
	require.Empty(t, targetsOf(t, testFleet(t, v, deploymentsIn(ns, map[string]string{"tier": "none"}))))

	one := targetsOf(t, testFleet(t, v, deploymentsIn(other, nil)))
	require.Empty(t, cmp.Diff([]engine.Target{{
		APIVersion: "apps/v1", Kind: "Deployment", Namespace: other, Name: "d", Labels: front,
		Replicas: &engine.Replicas{Desired: 1}, Placement: []string{}, Model: "digits/3",
	}}, one))

	plain := targetsOf(t, testFleet(t, v, engine.Selector{APIVersion: "v1", Kind: "ConfigMap", Namespace: ns, MatchLabels: front}))
	require.Empty(t, cmp.Diff([]engine.Target{{
		APIVersion: "v1", Kind: "ConfigMap", Namespace: ns, Name: "registry", Labels: front, Placement: []string{}, Model: "digits/4",
	}}, plain), "what has no scale subresource has no replicas")

	_, err := v.Fleet(deploymentsIn(ns, map[string]string{"tier": "no label/value"}))
	require.ErrorContains(t, err, "selector")
}

func TestOneInformerServesAllAgentsAndEndsWithTheLast(t *testing.T) {
	c := testcluster.Shared(t)
	client, err := apiclient.FromConfig(c.Client().Config, "default", apiclient.Options{})
	require.NoError(t, err)
	v := testView(t, Options{Client: client})
	v.linger = 0
	ns := c.Namespace(t)
	c.Apply(t, web(ns, "a", 1, "tier: front"))
	first, second := testFleet(t, v, deploymentsIn(ns, nil)), testFleet(t, v, deploymentsIn(ns, map[string]string{"tier": "front"}))
	require.Len(t, targetsOf(t, first), 1)
	before := client.Requests()
	for range 50 {
		require.Len(t, targetsOf(t, first), 1)
		require.Len(t, targetsOf(t, second), 1)
	}
	require.Equal(t, before, client.Requests(), "no request is made for a firing")
	require.Equal(t, 2, v.informerCount(), "deployments and pods")
	first.(*Fleet).Release()
	require.Equal(t, 2, v.informerCount())
	require.Len(t, targetsOf(t, second), 1)
	second.(*Fleet).Release()
	require.Zero(t, v.informerCount())
	_, known := v.Workload(engine.TargetID{Kind: "Deployment", Namespace: ns, Name: "a"})
	require.False(t, known)
	require.Len(t, targetsOf(t, first), 1, "a fleet that was released lists its targets again")
}

func TestShards(t *testing.T) {
	c := testcluster.Shared(t)
	ns := c.Namespace(t)
	c.Apply(t, web(ns, "a", 1, "shard: one")+web(ns, "b", 1, "shard: one")+web(ns, "c", 1, "shard: two"))
	v := testView(t, Options{Client: c.Client(), Shard: func(namespace, name string, labels map[string]string) bool {
		return namespace == ns && labels["shard"] == "one" && name != "b"
	}})
	require.Equal(t, []string{"a"}, targetNames(targetsOf(t, testFleet(t, v, deploymentsIn("", nil)))))
}

func TestANamespacedInstallSeesNothingOutside(t *testing.T) {
	c := testcluster.Shared(t)
	ns, other := c.Namespace(t), c.Namespace(t)
	c.Apply(t, web(ns, "mine", 1, "")+web(other, "theirs", 1, "")+strings.ReplaceAll(`---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: viewer, namespace: NS}
rules: [{apiGroups: ["apps", ""], resources: [deployments, pods], verbs: [list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: viewer, namespace: NS}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: viewer}
subjects: [{kind: ServiceAccount, name: viewer, namespace: NS}]
`, "NS", ns))
	client, err := apiclient.New(apiclient.Options{Kubeconfig: c.KubeconfigFor(t, ns, "viewer")})
	require.NoError(t, err)
	v := testView(t, Options{Client: client, Namespace: ns})
	soon(t, "the role counts", func() bool {
		_, err := client.Dynamic.Resource(deploymentsResource).Namespace(ns).List(context.Background(), metav1.ListOptions{})
		return err == nil
	})
	require.Equal(t, []string{"mine"}, targetNames(targetsOf(t, testFleet(t, v, deploymentsIn(ns, nil)))), "the role for the namespace is enough")
	for _, outside := range []string{"", "*", other} {
		_, err := v.Fleet(deploymentsIn(outside, nil))
		require.ErrorContains(t, err, "may see the namespace "+ns+" alone", outside)
		err = v.Watch(testContext(t), engine.WatchSpec{Selector: deploymentsIn(outside, nil)}, nil)
		require.ErrorContains(t, err, "may see the namespace "+ns+" alone", outside)
	}
	_, known := v.Workload(engine.TargetID{Kind: "Deployment", Namespace: other, Name: "theirs"})
	require.False(t, known)
	_, err = testFleet(t, v, engine.Selector{APIVersion: "v1", Kind: "Node", Namespace: ns}).Targets(testContext(t))
	require.ErrorContains(t, err, "Node is of the whole cluster")

	wide := testView(t, Options{Client: client})
	_, err = testFleet(t, wide, deploymentsIn("", nil)).Targets(testContext(t))
	require.ErrorContains(t, err, "forbidden")
	require.False(t, engine.IsRetryable(err), "a refusal is returned at once")
}

func TestAKindThatIsInstalledLater(t *testing.T) {
	c := testcluster.Shared(t)
	client, err := apiclient.FromConfig(c.Client().Config, "default", apiclient.Options{})
	require.NoError(t, err)
	v := testView(t, Options{Client: client})
	ns := c.Namespace(t)
	c.Apply(t, web(ns, "a", 1, ""))
	later := testFleet(t, v, engine.Selector{APIVersion: "later.example.com/v1", Kind: "Later", Namespace: ns})
	_, err = later.Targets(testContext(t))
	var missing *apiclient.MissingKindError
	require.ErrorAs(t, err, &missing)
	require.Equal(t, "Later", missing.Kind)
	require.Len(t, targetsOf(t, testFleet(t, v, deploymentsIn(ns, nil))), 1, "other agents are served")

	began := client.Requests()["GET"]
	_, err = later.Targets(testContext(t))
	require.ErrorAs(t, err, &missing)
	require.Equal(t, began, client.Requests()["GET"], "asking again costs nothing")

	c.Apply(t, definition("later.example.com", "Later", ""))
	soon(t, "the kind is served", func() bool {
		_, err := later.Targets(testContext(t))
		return err == nil
	})
	c.Apply(t, "apiVersion: later.example.com/v1\nkind: Later\nmetadata: {name: x, namespace: "+ns+"}\n")
	soon(t, "the object is a target", func() bool { return len(targetsOf(t, later)) == 1 })
}

func TestAnOutageIsNoQuietFleet(t *testing.T) {
	c := testcluster.New(t)
	client, line := proxied(t, c)
	v := testView(t, Options{Client: client, MaxStaleness: time.Second})
	ns := c.Namespace(t)
	c.Apply(t, web(ns, "a", 1, "")+web(ns, "b", 1, ""))
	f := testFleet(t, v, deploymentsIn(ns, nil))
	require.Len(t, targetsOf(t, f), 2)
	changes := watched(t, v, engine.WatchSpec{Selector: deploymentsIn(ns, nil), Field: "spec.replicas"})

	line.set(true)
	require.Len(t, targetsOf(t, f), 2, "a short one is sat out")
	// The fleet's own watch and the one of its pods fall silent each in its own time.
	var err error
	soon(t, "a long one is an error, which names the fleet", func() bool {
		_, err = f.Targets(testContext(t))
		return err != nil && strings.Contains(err.Error(), "nothing was heard of Deployment of apps/v1 in the namespace "+ns+" since 20")
	})
	require.True(t, engine.IsRetryable(err))
	id := engine.TargetID{Kind: "Deployment", Namespace: ns, Name: "a"}
	_, known := v.Workload(id)
	require.False(t, known)

	// A new API server does not know the old one's watches: what happened must come
	// from a new list.
	c.Patch(t, deploymentsResource, ns, "a", `{"spec": {"replicas": 5}}`)
	c.Patch(t, deploymentsResource, ns, "b", `{"metadata": {"labels": {"touched": "yes"}}}`)
	c.StopAPIServer(t)
	c.StartAPIServer(t)
	c.Apply(t, web(ns, "d", 2, ""))
	line.set(false)
	soon(t, "the fleet is known again", func() bool {
		targets, err := f.Targets(testContext(t))
		return err == nil && len(targets) == 3
	})
	require.ElementsMatch(t, []engine.ObjectChange{
		{APIVersion: "apps/v1", Kind: "Deployment", Namespace: ns, Name: "a", Type: "changed", From: 1.0, To: 5.0},
		{APIVersion: "apps/v1", Kind: "Deployment", Namespace: ns, Name: "d", Type: "added", To: 2.0},
	}, changes.next(t, 2), "what changed meanwhile, and nothing else")

	c.StopAPIServer(t)
	c.StartAPIServer(t)
	c.Patch(t, deploymentsResource, ns, "a", `{"spec": {"replicas": 6}}`)
	require.Equal(t, 6.0, changes.next(t, 1)[0].To)
	require.Empty(t, changes.waiting())
}

func TestNeverListedIsAnError(t *testing.T) {
	c := testcluster.New(t)
	client, line := proxied(t, c)
	line.set(true)
	v := testView(t, Options{Client: client})
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	f := testFleet(t, v, deploymentsIn("default", nil))
	_, err := f.Targets(ctx)
	require.ErrorContains(t, err, "list Deployment of apps/v1 in the namespace default")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.True(t, engine.IsRetryable(err))
	line.set(false)
	require.Empty(t, targetsOf(t, f))

	line.set(true)
	require.NoError(t, v.Close(testContext(t)), "it ends though the API server is away")
	_, err = f.Targets(testContext(t))
	require.True(t, errors.Is(err, ErrClosed))
}

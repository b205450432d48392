package kubernetes

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// acting is a Cluster without a View, for the verbs that read for themselves.
func acting(client *apiclient.Client) *Cluster {
	return &Cluster{Client: client, Clock: engine.WallClock{}}
}

// wish is a proposal as the engine hands it to Plan.
func wish(verb, apiVersion, kind, namespace, name, with string) engine.Proposal {
	p := engine.Proposal{
		Agent: "default/planner", Strategy: "test", Primitive: verb,
		Target: engine.Target{APIVersion: apiVersion, Kind: kind, Namespace: namespace, Name: name},
	}
	if err := json.Unmarshal([]byte(with), &p.With); err != nil {
		panic(err)
	}
	p.Identity = engine.Identity(p, "f1")
	return p
}

func onDeployment(verb, namespace, name, with string) engine.Proposal {
	return wish(verb, "apps/v1", "Deployment", namespace, name, with)
}

// do plans and applies.
func do(t testing.TB, a engine.Actuator, p engine.Proposal) engine.Change {
	t.Helper()
	change, err := a.Plan(testContext(t), p)
	require.NoError(t, err)
	require.False(t, change.NoOp, change.Diff)
	out, err := a.Apply(testContext(t), change)
	require.NoError(t, err)
	require.Equal(t, engine.Running, out.Status)
	noteRan(change, false)
	return change
}

func planOf(t testing.TB, a engine.Actuator, p engine.Proposal) engine.Change {
	t.Helper()
	change, err := a.Plan(testContext(t), p)
	require.NoError(t, err)
	return change
}

func refused(t testing.TB, a engine.Actuator, p engine.Proposal) error {
	t.Helper()
	_, err := a.Plan(testContext(t), p)
	require.Error(t, err)
	require.False(t, engine.IsRetryable(err), "%v", err)
	return err
}

// until asks Verify as the engine does.
func until(t testing.TB, a engine.Actuator, change engine.Change, want engine.Status) engine.Outcome {
	t.Helper()
	var out engine.Outcome
	soon(t, string(want), func() bool {
		var err error
		out, err = verify(t, a, change)
		require.NoError(t, err)
		return out.Status != engine.Running
	})
	require.Equal(t, want, out.Status, out.Detail)
	return out
}

// verify calls Verify once.
func verify(t testing.TB, a engine.Actuator, change engine.Change) (engine.Outcome, error) {
	t.Helper()
	out, err := a.(engine.Verifier).Verify(testContext(t), change)
	if err == nil && out.Status == engine.Done {
		noteRan(change, true)
	}
	return out, err
}

func verified(t testing.TB, a engine.Actuator, change engine.Change) engine.Outcome {
	t.Helper()
	out, err := verify(t, a, change)
	require.NoError(t, err)
	return out
}

func fetch(t testing.TB, c *testcluster.Cluster, apiVersion, kind, namespace, name string) *unstructured.Unstructured {
	t.Helper()
	mapping, err := c.Client().Kinds.Find(apiVersion, kind)
	require.NoError(t, err)
	o, err := c.Client().Dynamic.Resource(mapping.Resource).Namespace(namespace).Get(testContext(t), name, metav1.GetOptions{})
	require.NoError(t, err)
	return o
}

// at is a part of an object, as JSON.
func at(t testing.TB, o *unstructured.Unstructured, path ...any) string {
	t.Helper()
	v, _ := fieldpath.Find(o.Object, path...)
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	return string(raw)
}

// applyAs writes as another field manager.
func applyAs(t testing.TB, c *testcluster.Cluster, manager, text string) {
	t.Helper()
	_, err := c.ApplyAs(testContext(t), manager, text)
	require.NoError(t, err)
}

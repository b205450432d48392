package ledger

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine"
)

// restore creates the objects of a file of testdata/upgrade in a namespace.
func restore(t *testing.T, c *testcluster.Cluster, file, namespace string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "upgrade", file))
	require.NoError(t, err)
	var list unstructured.UnstructuredList
	require.NoError(t, yaml.Unmarshal(raw, &list))
	require.NotEmpty(t, list.Items)
	ledgers := c.Client().Dynamic.Resource(schema.GroupVersionResource{Group: "scanflow.dev", Version: "v1alpha1", Resource: "ledgers"}).Namespace(namespace)
	for _, o := range list.Items {
		fresh := &unstructured.Unstructured{Object: map[string]any{"spec": o.Object["spec"]}}
		fresh.SetGroupVersionKind(o.GroupVersionKind())
		fresh.SetName(o.GetName())
		fresh.SetLabels(o.GetLabels())
		_, err := ledgers.Create(t.Context(), fresh, metav1.CreateOptions{})
		require.NoError(t, err)
	}
}

// A log that an earlier program left behind when it was killed is opened by the next leader,
// which knows what was in it and continues it.
func TestALedgerOfAnEarlierVersion(t *testing.T) {
	c := shared(t)
	o := Options{
		Client: c.Client(), Namespace: c.Namespace(t), Install: "scanflow", Name: "scanflow",
		Clock: clock{time.Date(2026, 11, 30, 16, 35, 0, 0, time.UTC)},
	}
	restore(t, c, "0e08181.yaml", o.Namespace)
	l := begin(t, o)
	ctx := t.Context()
	open := func(agent string) (out []string) {
		intents, err := l.Open(ctx, agent)
		require.NoError(t, err)
		for _, in := range intents {
			out = append(out, in.Diff)
		}
		return out
	}
	require.Equal(t, []string{"replicas 3 -> 4"}, open("sample/keeper"))
	hangs := "POST http://127.0.0.1:18999/hangs"
	require.Equal(t, []string{hangs, hangs, hangs}, open("sample/hanger"))
	memory, err := l.Remember(ctx, "sample/keeper", time.Time{})
	require.NoError(t, err)
	require.Len(t, memory.Acts, 2)
	require.Equal(t, engine.Outcome{Status: engine.Done, Detail: "3 of 3 ready", Applied: true}, memory.Acts[0].Outcome)
	require.Equal(t, engine.Running, memory.Acts[1].Outcome.Status)
	require.Equal(t, map[string]any{"size": 4.0}, memory.Notes[0].Value)

	approvals, err := l.Approvals(ctx, "sample/asker", time.Time{})
	require.NoError(t, err)
	states := map[engine.ApprovalState]engine.Approval{}
	for _, a := range approvals {
		states[a.State] = a
	}
	require.Len(t, states, 3)
	require.Equal(t, "api", states[engine.ApprovalUsed].By)
	require.Equal(t, "api", states[engine.ApprovalDenied].By)
	waiting := states[engine.ApprovalWaiting]

	depths, err := l.Depths(ctx)
	require.NoError(t, err)
	require.Equal(t, engine.QueueDepths{Inbox: 2, Outbox: 9, Dead: 1}, depths)
	events, err := l.Inbox(ctx, "sample/waiter", -1)
	require.NoError(t, err)
	require.Equal(t, []string{"e2", "e3"}, []string{events[0].ID, events[1].ID})
	require.NotNil(t, events[0].Deferral)

	// It goes on.
	e1 := engine.Envelope{Event: engine.Event{ID: "e1", Source: "/sample", Type: "sample.asked"}, Agents: []string{"sample/caller"}}
	fresh, err := l.Enqueue(ctx, []engine.Envelope{e1})
	require.NoError(t, err)
	require.Zero(t, fresh, "it was handled before")
	require.NoError(t, l.Conclude(ctx, engine.Conclusion{Identity: memory.Acts[1].Identity, Outcome: engine.Outcome{Status: engine.Done, Detail: "4 of 4 ready"}, At: o.Clock.Now()}))
	answer := waiting
	answer.State, answer.By, answer.Decided = engine.ApprovalApproved, "ana", o.Clock.Now()
	require.NoError(t, l.SaveApproval(ctx, engine.ApprovalChange{Approval: answer, From: engine.ApprovalWaiting}))
	closed(t, l)

	l = begin(t, o)
	require.Empty(t, open("sample/keeper"))
	require.Len(t, open("sample/hanger"), 3)
	answered, err := l.Approval(context.Background(), waiting.ID)
	require.NoError(t, err)
	require.Equal(t, "ana", answered.By)
	require.True(t, slices.ContainsFunc(leaf(t, l).Letters, func(m engine.Message) bool { return m.Box == engine.BoxDead && m.Event.ID == "e3" }))
}

package app

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/ledger"
)

// The first shard takes over the ledger of a shard that was removed.
func TestTheLedgerOfAShardThatIsNoMoreIsTakenOver(t *testing.T) {
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "agents", "ledgers")
	ns := c.Namespace(t)
	history, err := journal.Open(t.Context(), t.TempDir(), journal.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, history.Close()) })
	old, err := ledger.Open(t.Context(), ledger.Options{Client: c.Client(), Namespace: ns, Install: "scanflow", Name: "scanflow-1", History: history})
	require.NoError(t, err)
	fresh, err := old.Enqueue(t.Context(), []engine.Envelope{{Event: engine.Event{ID: "e1", Source: "/test", Type: "asked", Time: time.Now(), Sender: "ns/asker"}, Agents: []string{ns + "/asked"}}})
	require.NoError(t, err)
	require.Equal(t, 1, fresh)
	require.NoError(t, old.Close(t.Context()))

	s, _ := inCluster(t, c, ns, t.TempDir(), grow, engine.WallClock{}, true)
	t.Cleanup(func() { require.NoError(t, s.Stop(context.Background())) })
	require.Eventually(t, s.Leading, 30*time.Second, 10*time.Millisecond)
	logs, err := ledger.Logs(t.Context(), c.Client(), ns, "scanflow")
	require.NoError(t, err)
	require.Equal(t, []string{"scanflow"}, logs)
	waiting, err := s.lead.Ledger().Inbox(t.Context(), ns+"/asked", 10)
	require.NoError(t, err)
	require.Len(t, waiting, 1, "the event waits for its agent still")
}

package app

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/ledger"
)

func TestParseShard(t *testing.T) {
	for text, by := range map[string]string{"": "", "0/1": "namespace", "2/3": "name", "1/2": "label=team"} {
		s, err := ParseShard(text, by)
		require.NoError(t, err)
		require.Equal(t, text == "" || text == "0/1", s.whole(), "%s", text)
	}
	for _, bad := range []string{"3/3", "-1/3", "1", "1/0", "a/b", "1/2/3"} {
		_, err := ParseShard(bad, "namespace")
		require.ErrorContains(t, err, "write I/N with I from 0 to N-1")
	}
	for _, bad := range []string{"label=", "team", "names"} {
		_, err := ParseShard("0/2", bad)
		require.ErrorContains(t, err, "write namespace, name or label=KEY")
	}
}

// Every target is of one shard, and what is to be kept together is.
func TestEachTargetIsOfOneShard(t *testing.T) {
	for _, by := range []string{"namespace", "name", "label=team"} {
		taken := make([]int, 3)
		for i := range 300 {
			ns, name, labels := fmt.Sprintf("ns-%d", i%30), fmt.Sprintf("web-%d", i), map[string]string{"team": fmt.Sprint(i % 20)}
			owners := 0
			for index := range 3 {
				s := Shard{Index: index, Of: 3, By: by}
				if s.takes(ns, name, labels) {
					owners++
					taken[index]++
					require.True(t, s.remembers(engine.TargetID{Namespace: ns, Name: name}))
				}
				require.Equal(t, s.takes(ns, name, labels), Shard{Index: index, Of: 3, By: by}.takes(ns, name, labels))
			}
			require.Equal(t, 1, owners, "%s: %s/%s", by, ns, name)
		}
		for index, n := range taken {
			require.Greater(t, n, 40, "%s: shard %d has its part", by, index)
		}
	}
	one := Shard{Index: 1, Of: 3, By: "namespace"}
	require.Equal(t, one.takes("a", "x", nil), one.takes("a", "y", map[string]string{"team": "z"}))
}

// What a shard that is no more left open, the first one takes over.
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
	t.Cleanup(func() { require.NoError(t, s.Close(context.Background())) })
	require.Eventually(t, s.Leading, 30*time.Second, 10*time.Millisecond)
	logs, err := ledger.Logs(t.Context(), c.Client(), ns, "scanflow")
	require.NoError(t, err)
	require.Equal(t, []string{"scanflow"}, logs)
	waiting, err := s.cluster.ledger.Load().Inbox(t.Context(), ns+"/asked", 10)
	require.NoError(t, err)
	require.Len(t, waiting, 1, "the event waits for its agent still")
}

package ledger

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/loop"
)

// The question of an agent that was deleted while nobody led lapses under the next leader,
// and the history has it with a row.
func TestAQuestionOfADeletedAgentLapsesUnderTheNextLeader(t *testing.T) {
	c := shared(t)
	client, _ := connect(t, c)
	h := history(t)
	o := Options{Client: client, Namespace: c.Namespace(t), History: h}
	l := begin(t, o)
	f := firing("f1")
	f.Approvals = []engine.ApprovalChange{change("", waiting, "q1"), change("", approved, "q2")}
	require.NoError(t, l.RecordFiring(t.Context(), f))
	crash(l)
	l = begin(t, o)
	host := loop.New(loop.Config{Journal: l, Clock: clock{day}})
	defer host.Close()
	host.Apply(nil)
	for _, id := range []string{"q1", "q2"} {
		p, err := l.Approval(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, engine.ApprovalLapsed, p.State)
		there, err := h.Approval(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, p.State, there.State)
	}
}

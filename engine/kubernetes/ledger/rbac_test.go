package ledger

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// TestWhatALedgerMayDo is all that it needs to, over a whole life of a log.
func TestWhatALedgerMayDo(t *testing.T) {
	c := shared(t)
	namespace := c.Namespace(t)
	config := c.KubeconfigFor(t, namespace, "planner")
	c.Apply(t, fmt.Sprintf(`
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: planner, namespace: %[1]s}
rules:
  - {apiGroups: [scanflow.dev], resources: [ledgers], verbs: [get, list, create, update, delete]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: planner, namespace: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: planner}
subjects: [{kind: ServiceAccount, name: planner, namespace: %[1]s}]
`, namespace))
	client, err := apiclient.New(apiclient.Options{Kubeconfig: config})
	require.NoError(t, err)
	o := Options{Client: client, Namespace: namespace, SegmentBytes: 1024, CompactAfter: 2}
	for life := range 2 {
		l := begin(t, o)
		for i := range 10 {
			id := fmt.Sprint(life, "-", i)
			require.NoError(t, l.RecordFiring(t.Context(), firing("f"+id, id)))
		}
		closed(t, l)
		require.Positive(t, l.head.spec.Bases)
		require.Empty(t, l.garbage)
	}
	require.Len(t, look(t, begin(t, o)).Open, 20)

	o.Namespace = c.Namespace(t)
	o.History = history(t)
	o.Name = "planner-0"
	_, err = Open(t.Context(), o)
	require.ErrorContains(t, err, "forbidden", "another namespace")
}

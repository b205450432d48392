package helm_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The notes say how to send an event and how to answer, as the release listens.
func TestNotes(t *testing.T) {
	notes := func(args ...string) string {
		out, said, err := helm(t, append([]string{"install", "test", "scanflow", "--dry-run=client", "--namespace", "system"}, args...)...)
		require.NoError(t, err, said)
		_, text, found := strings.Cut(out, "NOTES:")
		require.True(t, found)
		return text
	}
	plain := notes("-f", values("everything.yaml"))
	require.Contains(t, plain, "curl -sS http://sf.system.svc:80/v1/events -H")
	require.Contains(t, plain, "$(kubectl get lease main -n system -o jsonpath='{.spec.holderIdentity}') 8282")
	require.Contains(t, plain, `go-template='{{ index .data "bearer.txt" | base64decode }}' > token`)
	require.Contains(t, plain, "scanflow approve ID --token-file token\n")
	require.Contains(t, plain, "kubectl get agents -n digits -l 'team=ml'")
	secure := notes("-f", values("tls.yaml"), "--set", "token.secretName=api")
	require.Contains(t, secure, "curl -sS https://test-scanflow.system.svc:8282/v1/events --cacert ca.crt -H")
	require.Contains(t, secure, "scanflow approve ID --token-file token --server https://localhost:8282 --ca-file ca.crt\n")
	require.Contains(t, notes("-f", values("shards.yaml"), "--set", "token.secretName=api"), "kubectl port-forward -n system test-scanflow-0 8282")
	require.Contains(t, notes("-f", values("tls.yaml")), "senders with the right to answer (rights: [read, answer]) approve what waits for a person, and nobody else")
	closed := notes()
	require.Contains(t, closed, "serves the agents of system.")
	require.Contains(t, closed, "kubectl get agents -n system\n")
	require.Contains(t, closed, "The agents may scale Deployments in system, and do nothing else.")
	every := notes("-f", values("shards.yaml"))
	require.Contains(t, every, "serves the agents of every namespace.")
	require.Contains(t, every, "The roles are those of rbac.roles and rbac.clusterRules.")
	require.Contains(t, closed, "No token is set, so the API is closed")
	require.NotContains(t, closed, "/v1/events")
	require.NotContains(t, closed, "scanflow approve")
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

// The question of an agent that is deleted lapses, whether a process leads meanwhile or not.
func TestKubernetesQuestionsOfADeletedAgentLapse(t *testing.T) {
	agent := followAgent + "  guards: {approval: [scale]}\n"
	s := newStage(t, testcluster.Shared(t), agent)
	s.apply(webDeployment)
	s.wants(3)
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte("of-the-api"), 0o600))
	args := []string{"--lease-duration", "1s", "--token-file", token}
	agents := s.cluster.Client().Dynamic.Resource(agentsResource).Namespace(s.namespace)
	asked := func(d *daemon) { d.metric("scanflow_approvals_waiting 1") }
	lapsed := func(d *daemon, times int) {
		t.Helper()
		require.Eventually(t, func() bool {
			out, code := scanflow(t, "approvals", "--since", "1h", "--server", d.url, "--token-file", token)
			return code == 0 && strings.Count(out, ", is not there any more") == times
		}, 30*time.Second, 20*time.Millisecond)
		d.metric("scanflow_approvals_waiting 0")
	}
	d := s.daemon(args...)
	require.Eventually(t, d.leads, 30*time.Second, 5*time.Millisecond)
	s.apply(agent)
	asked(d)
	require.NoError(t, agents.Delete(t.Context(), "follower", metav1.DeleteOptions{}))
	lapsed(d, 1)

	s.apply(agent)
	asked(d)
	d.kill()
	require.NoError(t, agents.Delete(t.Context(), "follower", metav1.DeleteOptions{}))
	d = s.daemon(args...)
	require.Eventually(t, d.leads, 30*time.Second, 5*time.Millisecond)
	lapsed(d, 2)
}

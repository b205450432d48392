package main

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

// A strategy that hangs costs each replica one restart at most: the leader replaces its
// process, and so does the other replica once it leads and evaluates the strategy. From then
// on both have it in quarantine, and the other agents act.
func TestKubernetesAStrategyThatHangsCostsEachReplicaOneRestart(t *testing.T) {
	t.Parallel()
	bomber := strings.NewReplacer("name: follower", "name: bomber", "[t.follow]", "[t.bomb]", "[scale]", "[webhook]").Replace(followAgent)
	s := newStage(t, testcluster.Shared(t), followAgent+"---\n"+bomber)
	bomb := strings.ReplaceAll(withEscape("bomb", "input.signals.want.value == 3"), `["load"]`, `["want"]`)
	s.policy("bomb", bomb)
	s.apply(webDeployment)
	s.wants(2)
	first := s.daemon()
	require.Eventually(t, first.leads, 30*time.Second, 5*time.Millisecond)
	other := s.daemon()
	s.apply(followAgent)
	s.apply(bomber)
	s.scaledTo("web", 2)

	s.wants(3)
	first.said("beginning anew")
	first.saidAgain(`"@message":"running"`, 2)
	first.refreshAddress()
	require.NoError(t, syscall.Kill(first.cmd.Process.Pid, 0), "it is the same process")
	_, ready := first.get("/readyz")
	require.Contains(t, ready, "strategy t.bomb is in quarantine for revision")
	for _, n := range []int{3, 4, 3, 5, 3} { // the other agent acts, whoever leads
		s.wants(n)
		require.Eventually(t, func() bool { return s.replicas("web") == int64(n) }, 90*time.Second, 50*time.Millisecond)
	}
	other.saidAgain(`"@message":"running"`, 2) // it led while the first restarted
	other.refreshAddress()
	for _, d := range []*daemon{first, other} {
		require.Equal(t, 1, strings.Count(d.text(), "beginning anew"))
	}

	// A new revision frees it, on both.
	s.policy("bomb", strings.Replace(bomb, escapes(), "input.signals.want.value < 0", 1))
	for _, d := range []*daemon{first, other} {
		require.Eventually(t, func() bool {
			code, _ := d.get("/readyz")
			return code == http.StatusOK
		}, 60*time.Second, 50*time.Millisecond)
		d.stop()
	}
}

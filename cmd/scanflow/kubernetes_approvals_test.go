package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

// A question to a person outlives the leader that put it, the notice is delivered once
// its receiver will have it, and a standby says who to ask.
func TestKubernetesApprovalsOutliveTheLeader(t *testing.T) {
	var answer, told atomic.Int64
	answer.Store(http.StatusBadRequest)
	pager := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		told.Add(1)
		w.WriteHeader(int(answer.Load()))
	}))
	defer pager.Close()
	agent := followAgent + strings.ReplaceAll(`  guards: {approval: [scale], approvalNotify: "PAGER/page?key=s3cret-key", urls: ["PAGER"]}
`, "PAGER", pager.URL)
	s := newStage(t, testcluster.Shared(t), agent)
	s.apply(webDeployment)
	s.wants(3)
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte("of-the-api"), 0o600))
	senders := filepath.Join(t.TempDir(), "senders.yaml")
	require.NoError(t, os.WriteFile(senders, []byte("senders: [{name: ada, rights: [read, answer], bearerToken: {file: "+token+"}}]"), 0o600))
	shared := []string{"--lease-duration", "1s", "--senders", senders}
	leader := s.daemon(shared...)
	require.Eventually(t, leader.leads, 30*time.Second, 5*time.Millisecond)
	standby := s.daemon(shared...)
	s.apply(agent)

	asks := func(d *daemon, args ...string) (string, int) {
		return scanflow(t, append(args, "--server", d.url, "--token-file", token)...)
	}
	var id, letter string
	s.until("a person is asked", func() bool {
		var waiting []struct{ ID, State string }
		out, code := asks(leader, "approvals", "--json")
		if code != 0 || json.Unmarshal([]byte(out), &waiting) != nil || len(waiting) == 0 {
			return false
		}
		id = waiting[0].ID
		return waiting[0].State == "waiting"
	})
	s.until("the notice that is refused is a dead letter", func() bool {
		var dead []struct{ ID, To, Why string }
		out, code := asks(leader, "events", "--box", "dead", "--json")
		if code != 0 || json.Unmarshal([]byte(out), &dead) != nil || len(dead) == 0 {
			return false
		}
		require.Contains(t, dead[0].Why, "400")
		require.NotContains(t, out, "s3cret-key")
		letter = dead[0].ID
		return true
	})
	for _, args := range [][]string{{"approvals"}, {"approve", id}, {"events"}, {"claims"}} {
		out, code := asks(standby, args...)
		require.Equal(t, 1, code, out)
		require.Contains(t, out, "this replica stands by, and another one leads: ask that one")
	}
	leader.metric(`scanflow_events{box="dead"} 1`)
	leader.metric("scanflow_approvals_waiting 1")
	_, body := standby.get("/metrics")
	require.Contains(t, body, `scanflow_leader{install="`+s.namespace+`/scanflow",shard="0"} 0`)
	require.NotContains(t, body, "scanflow_events{", "another one knows")
	before := told.Load()
	answer.Store(http.StatusOK)
	out, code := asks(leader, "events", "resend", letter)
	require.Equal(t, 0, code, out)
	s.until("the notice arrives", func() bool { return told.Load() > before })

	leader.kill()
	require.Eventually(t, standby.leads, 30*time.Second, 5*time.Millisecond)
	require.EqualValues(t, 1, s.replicas("web"), "nobody has approved yet")
	out, code = asks(standby, "approve", id, "--why", "the load is real")
	require.Equal(t, 0, code, out)
	s.scaledTo("web", 3)
	out, code = asks(standby, "approvals", "--since", "1h")
	require.Equal(t, 0, code, out)
	standby.metric("scanflow_approvals_waiting 0")
	type said struct{ ID, State, By, Why string }
	type row struct {
		Verdict  string
		Approval said
	}
	var decided []row
	_, body = standby.get("/v1/decisions")
	require.NoError(t, json.Unmarshal([]byte(body), &decided))
	decided = slices.DeleteFunc(decided, func(r row) bool { return r.Verdict != "admitted" })
	require.Equal(t, []row{{"admitted", said{id, "approved", "ada", "the load is real"}}}, decided, "the journal says who let it")
	for _, text := range []string{id, "used", "by ada", "the load is real"} {
		require.Contains(t, out, text)
	}
	standby.stop()
}

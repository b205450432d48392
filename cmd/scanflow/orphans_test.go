package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// An agent that is deleted while no process runs leaves no question behind.
func TestAQuestionOfADeletedAgentLapsesAtTheNextStart(t *testing.T) {
	s := newSite(t)
	require.NoError(t, os.RemoveAll(s.agents))
	s.agent("asker", "")
	s.write("agents/asker.yaml", strings.Replace(s.read("agents/asker.yaml"), "cooldown: {webhook: 1h}", "approval: [webhook]", 1))
	s.agent("other", "")
	t.Setenv("HOOK_TOKEN", "of-the-hook")
	args := s.args()
	d := startDaemon(t, args...)
	d.metric("scanflow_approvals_waiting 1")
	d.kill()
	require.NoError(t, os.Remove(filepath.Join(s.agents, "asker.yaml")))
	d = startDaemon(t, args...)
	d.said(`"@message":"resumed what the last process left"`)
	d.said(`"approvals":1`)
	d.metric("scanflow_approvals_waiting 0")
	out, code := scanflow(t, "approvals", "--since", "1h", "--server", d.url)
	require.Equal(t, 0, code, out)
	require.Contains(t, out, "lapsed")
	require.Contains(t, out, "came to       its agent, test/asker, is not there any more")
	d.stop()
	out, code = scanflow(t, "decisions", "--data", s.data, "--verdict", "refused", "--wide")
	require.Equal(t, 0, code, out)
	require.Contains(t, out, "guards.approval")
	require.Contains(t, out, "is not there any more")
}

func TestAnApprovalIsShownWithWhatHoldsItBack(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	p := engine.Approval{ID: "q1", State: engine.ApprovalApproved, By: "ada", Decided: at, Asked: at, Expires: at.Add(time.Hour), Held: "denied by t.office: closed\nfor now"}
	require.Contains(t, approvalText(p, screenZone{}), "\n  held back     denied by t.office: closed")
	require.Equal(t, 6, strings.Count(approvalText(p, screenZone{}), "\n"), "a line for each")
	p.State = engine.ApprovalLapsed
	require.NotContains(t, approvalText(p, screenZone{}), "held back")
}

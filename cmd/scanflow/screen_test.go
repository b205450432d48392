package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
)

// forging is a text that would write a row of its own, over others, backwards or unseen.
const forging = "ok\nFORGED row\rFORGED\x1b[2J\x1b]0;x\a\u009b31m\u202e\u2066\u200b\ufeff\u2028\U000e0041"

// quoted asserts that nothing of a text moved the cursor or began a line.
func quoted(t *testing.T, shown string) {
	t.Helper()
	require.Contains(t, shown, "FORGED", "the text is not shown at all:\n%s", shown)
	for line := range strings.Lines(shown) {
		require.False(t, strings.HasPrefix(line, "FORGED"), shown)
	}
	for _, r := range shown {
		require.True(t, r == '\n' || strconv.IsPrint(r), "%U in\n%q", r, shown)
	}
}

// forger answers as a scanflow does, with a forging text for each text.
func forger(t *testing.T) string {
	t.Helper()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	target := engine.TargetID{Kind: forging, Namespace: forging, Name: forging}
	asked := engine.Approval{
		ID: forging, Agent: forging, Target: target, Strategy: forging, Primitive: forging, With: map[string]any{forging: forging}, Reason: forging,
		Because: []string{forging}, Diff: forging, State: engine.ApprovalDenied, By: forging, Why: forging, Detail: forging, Asked: now, Expires: now, Decided: now,
	}
	code := 1
	run := workflow.Run{
		Namespace: "prod", Name: forging, Template: forging, Phase: workflow.Phase(forging), Message: forging, Stop: forging, StartedAt: now,
		Parameters: map[string]string{forging: forging}, Outputs: map[string]string{forging: forging}, Folder: forging,
		Steps: []workflow.Step{
			{Name: forging, Path: forging, Phase: workflow.Phase(forging), Message: forging, Attempts: []workflow.Attempt{{Phase: workflow.Phase(forging), Message: forging, Log: forging, ExitCode: &code}}},
			{Name: forging, Path: forging + "2", Message: forging, Needs: []string{forging}},
		},
	}
	answers := map[string]any{
		"/v1/events":                     []engine.Message{{ID: forging, Box: forging, Agent: forging, To: forging, Why: forging, Event: engine.Event{ID: forging, Type: forging, Source: forging}}},
		"/v1/events/resend":              map[string]any{"resent": []string{forging}},
		"/v1/claims":                     []engine.HeldClaim{{Target: forging}},
		"/v1/approvals":                  []engine.Approval{asked},
		"/v1/approvals/a/approve":        asked,
		"/v1/approvals/a/deny":           asked,
		"/v1/workflows":                  []workflowLine{{Namespace: forging, Name: forging, Template: forging, Phase: workflow.Phase(forging), At: []string{forging}, Message: forging, StartedAt: now}},
		"/v1/workflows/prod/name":        run,
		"/v1/workflows/prod/name/cancel": run,
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, known := answers[r.URL.Path]
		if !known {
			w.WriteHeader(http.StatusBadRequest)
			answer = map[string]string{"error": forging}
		}
		raw, err := json.Marshal(answer)
		if err == nil {
			_, err = w.Write(raw)
		}
		if err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(web.Close)
	return web.URL
}

// A reason forged a row of decisions. No text does, in no command.
func TestWhatAScanflowAnswersForgesNothing(t *testing.T) {
	at := forger(t)
	for _, args := range [][]string{
		{"events"}, {"events", "resend", "x"}, {"claims"}, {"approvals"}, {"approve", "a", "--by", "me"}, {"deny", "a", "--by", "me"},
		{"workflows"}, {"workflows", "show", "prod/name"}, {"workflows", "cancel", "prod/name", "--by", "me"},
		{"workflows", "show", "prod/unknown"}, {"approve", "unknown", "--by", "me"}, {"workflows", "logs", "prod/name"},
		{"events", "--json"}, {"approvals", "--json"}, {"workflows", "show", "prod/name", "--json"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			out, _ := scanflow(t, append(args, "--server", at)...)
			quoted(t, out)
		})
	}
}

func TestWhatTheJournalHoldsForgesNothing(t *testing.T) {
	data := t.TempDir()
	j, err := journal.Open(t.Context(), app.JournalDir(data), journal.Options{})
	require.NoError(t, err)
	target := engine.TargetID{Kind: "Deployment", Namespace: "ns", Name: forging}
	require.NoError(t, j.RecordFiring(t.Context(), engine.FiringRecord{
		ID: "f-1", Agent: "ns/a", At: time.Now(), Problems: []string{forging}, Trigger: engine.TriggerInfo{Kind: "every"},
		Decisions: []engine.Decision{{
			Target: target, Strategy: forging, Primitive: forging, With: map[string]any{forging: forging}, Reason: forging, Because: []string{forging},
			Verdict: engine.Refused, By: forging, Detail: forging, Document: json.RawMessage(`{"a": ` + strconv.Quote("\u202e FORGED \u009b") + `}`),
		}},
	}))
	require.NoError(t, j.Close())
	for _, more := range [][]string{{}, {"--wide"}, {"f-1/0"}, {"--problems"}, {"--json"}, {"--problems", "--json"}} {
		out, code := scanflow(t, append([]string{"decisions", "--data", data}, more...)...)
		require.Zero(t, code)
		quoted(t, out)
		if lines := strings.Count(out, "\n"); slices.Contains(more, "--json") || len(more) == 1 && (more[0] == "f-1/0" || more[0] == "--problems") {
			require.Positive(t, lines, out)
		} else {
			require.Equal(t, 3, lines, "a header and a row:\n%s", out)
		}
		if len(more) > 0 && more[len(more)-1] == "--json" {
			require.True(t, json.Valid([]byte(out)))
			require.Contains(t, out, `\u001b[2J`)
		}
	}
	out, _ := scanflow(t, "decisions", "--data", data, "--json")
	var row struct{ Document string }
	require.NoError(t, json.Unmarshal([]byte(out), &row))
	if row.Document != "" {
		out, _ = scanflow(t, "decisions", "--data", data, "--document", row.Document)
		quoted(t, out)
	}
}

func TestWhatPoliciesManifestsAndSensorsSayForgesNothing(t *testing.T) {
	s := newSite(t)
	rego := func(text string) string { raw, _ := json.Marshal(text); return string(raw) }
	s.write("policies/odd_test.rego", "package odd_test\n\ntest_odd if {\n\tprint("+rego(forging)+")\n\tfalse\n}\n")
	out, _ := scanflow(t, "test", s.policies)
	quoted(t, out)
	out, _ = scanflow(t, "test", s.policies, "--json")
	quoted(t, out)

	s = newSite(t)
	s.write("agents/watcher.yaml", strings.Replace(s.read("agents/watcher.yaml"), "params: {", `params: {"odd\nFORGED\e[2J\u202e": 1, `, 1))
	out, _ = scanflow(t, "check", "-f", s.agents, "--policies", s.policies)
	quoted(t, out)

	s = newSite(t)
	s.write("agents/watcher.yaml", strings.Replace(s.read("agents/watcher.yaml"), "strategies: [t.call]", `strategies: ["odd\nFORGED\e[2J\u202e"]`, 1))
	out, code := scanflow(t, "check", "-f", s.agents, "--policies", s.policies)
	require.Equal(t, 1, code)
	quoted(t, out)

	s = newSite(t)
	s.write("policies/call.rego", strings.Replace(callPolicy, `"too_high"`, rego(forging), 1))
	out, _ = scanflow(t, "eval", "-f", s.agents, "--policies", s.policies, "--agent", "test/watcher")
	quoted(t, out)
}

// A log is a program's own words: as they are into a file, and quoted on a terminal.
func TestALogIsQuotedForATerminalOnly(t *testing.T) {
	require.Equal(t, forging, escapeForTerminal(&bytes.Buffer{}, forging))
	f, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	require.Equal(t, `a\rb\x1b[2J`+"\n\tc", escapeForTerminal(f, "a\rb\x1b[2J\n\tc"))
}

// A daemon whose journal was taken away says so, and does not begin a new one.
func TestADaemonMissesItsJournal(t *testing.T) {
	for name, spoil := range map[string]func(data string) error{
		"deleted": func(data string) error { return os.RemoveAll(app.JournalDir(data)) },
		"emptied": func(data string) error {
			return os.Truncate(filepath.Join(app.JournalDir(data), "journal.db"), 0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			d := startDaemon(t, s.args()...)
			s.calls(1)
			d.stop()
			require.NoError(t, spoil(s.data))
			again := launch(t, s.args()...)
			select {
			case err := <-again.exit:
				require.Error(t, err)
			case <-time.After(30 * time.Second):
				require.FailNow(t, "it began a new journal in silence")
			}
			require.Contains(t, again.text(), "journal lost")
			require.Contains(t, again.text(), "delete "+filepath.Join(s.data, "journal.id"))
			require.Len(t, s.app.keys(), 1, "and the cooldown of an hour was not forgotten")
		})
	}
	s := newSite(t)
	d := startDaemon(t, s.args()...)
	s.calls(1)
	require.NoError(t, os.Rename(app.JournalDir(s.data), s.data+"/away"))
	require.Eventually(t, func() bool {
		code, body := d.get("/readyz")
		return code == http.StatusServiceUnavailable && strings.Contains(body, "file gone")
	}, 30*time.Second, 50*time.Millisecond)
	d.said("file gone")
	require.NoError(t, d.cmd.Process.Signal(os.Interrupt))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	select {
	case err := <-d.exit:
		require.NoError(t, err)
	case <-ctx.Done():
		require.FailNow(t, fmt.Sprint("still running: ", ctx.Err()))
	}
}

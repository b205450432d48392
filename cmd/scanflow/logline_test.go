package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// logged are the lines that a decision and its act make.
func logged(t *testing.T, format string, f engine.FiringRecord, a engine.Act) (decided, acted string) {
	t.Helper()
	var out bytes.Buffer
	log := newDecisionLog(newLog(hclog.LoggerOptions{Name: "scanflow", Level: hclog.Info, Output: &out, JSONFormat: format == "json"}), format == "text")
	log.Fired(f)
	log.Acted(a)
	lines := strings.Split(out.String(), "\n")
	require.Len(t, lines, 3, out.String())
	return lines[0], lines[1]
}

// A line about a decision or an act has 160 characters, whatever the names; it keeps what finds the
// rest, and the reason.
func TestLinesOfDecisionsAreShort(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, text := range []string{"", "web", "a \"quoted\" text", long, strings.Repeat("日本 ", 100), hostile + long, strings.Repeat("\"", 200), strings.Repeat("\\", 200), strings.Repeat("=", 150)} {
		for _, reason := range []string{"load_high", "load_above_what_is_wanted_of_" + long} {
			for _, verb := range []string{"scale", "webhook", text} {
				f := engine.FiringRecord{ID: "dc76bbe830ddf1db-123456789", Agent: text, Mode: engine.DryRun, Decisions: []engine.Decision{{
					Target: engine.TargetID{Namespace: text, Name: text}, Strategy: text, Primitive: verb, With: map[string]any{text: text}, Reason: reason,
					Verdict: engine.Unchanged, By: text, Detail: text,
				}}}
				a := engine.Act{EndedAt: tableDay.Add(time.Hour + 1234567*time.Microsecond), Outcome: engine.Outcome{Status: engine.Abandoned, Detail: text}}
				a.DryRun, a.At, a.Target = true, tableDay, engine.Target{Namespace: text, Name: text}
				a.Identity, a.Agent, a.Primitive = strings.Repeat("f", 32), text, verb
				decided, acted := logged(t, "text", f, a)
				for _, line := range []string{decided, acted} {
					require.LessOrEqual(t, utf8.RuneCountInString(line), 160, line)
				}
				require.Regexp(t, `decided: verdict=unchanged id=123456789/0 dry_run=true reason="?load_`, decided)
				require.Contains(t, acted, "acted: outcome=abandoned identity="+a.Identity+" dry_run=true took=1h0m1.235s")
				f.Decisions[0].Verdict, f.Decisions[0].Identity, a.Outcome.Status = engine.Admitted, a.Identity, engine.Failed
				_, acted = logged(t, "text", f, a)
				require.LessOrEqual(t, utf8.RuneCountInString(acted), 160, acted)
				require.Contains(t, acted, "acted: outcome=failed id=123456789/0 dry_run=true took=1h0m1.235s")
				if text == "web" || text == long { // of what is escaped, nothing may remain
					require.Regexp(t, ` detail="?`+text[:3], acted)
				}
			}
		}
	}
}

func TestLinesOfDecisions(t *testing.T) {
	target := engine.TargetID{Namespace: "default", Name: "web"}
	f := engine.FiringRecord{ID: "dc76bbe830ddf1db-3", Agent: "default/first", Decisions: []engine.Decision{{
		Target: target, Strategy: "serving.autoscale", Primitive: "scale", With: map[string]any{"replicas": 4}, Reason: "load_high", Verdict: engine.Refused,
		By: "guards.cooldown", Detail: "scale cools down for 5m, until 2026-03-01T12:05:00Z",
	}}}
	a := engine.Act{EndedAt: tableDay.Add(43 * time.Millisecond), Outcome: engine.Outcome{Status: engine.Done, Detail: "4 ready"}}
	a.At, a.Target = tableDay, engine.Target{Namespace: "default", Name: "web"}
	a.Identity, a.Agent, a.Primitive = "42ef8349a7bd4b48c524f5b10ea4903a", f.Agent, "scale"
	decided, acted := logged(t, "text", f, a)
	_, decided, _ = strings.Cut(decided, " ")
	_, acted, _ = strings.Cut(acted, " ")
	require.Equal(t, `[INFO]  scanflow: decided: verdict=refused id=3/0 reason=load_high by=guards.cooldown target=default/web act="scale 4"`, decided)
	require.Equal(t, `[INFO]  scanflow: acted: outcome=done identity=42ef8349a7bd4b48c524f5b10ea4903a took=43ms target=default/web primitive=scale`, acted)

	f.Decisions[0].Identity = a.Identity
	f.Decisions[0].By, f.Decisions[0].Verdict, f.Decisions[0].Detail = "", engine.Admitted, "replicas 1 -> 4, taken over from kubectl-client-side-apply (Update, 2026-03-01T12:05:00Z)"
	taken, acted := logged(t, "text", f, a)
	require.Contains(t, acted, "acted: outcome=done id=3/0 took=43ms target=default/web primitive=scale detail=\"4 ready\" agent=default/first")
	a.Outcome = engine.Outcome{Status: engine.Failed, Detail: "POST http://127.0.0.1:9000/help: not answered within its time of 30s"}
	_, acted = logged(t, "text", f, a)
	require.Contains(t, acted, "acted: outcome=failed id=3/0 took=43ms detail=\"POST http://127.0.0.1:9000/help: not answered")
	require.Contains(t, taken, `decided: verdict=admitted id=3/0 reason=load_high target=default/web act="scale 4" detail="replicas 1 -> 4, ta…"`)
	f.Decisions[0].Detail = "scale cools down for 5m, until 2026-03-01T12:05:00Z"
	decided, _ = logged(t, "json", f, a)
	var got map[string]any
	require.NoError(t, json.Unmarshal([]byte(decided), &got))
	require.Equal(t, []any{"dc76bbe830ddf1db-3/0", "dc76bbe830ddf1db-3", "replicas=4", f.Decisions[0].Detail, "serving.autoscale"}, []any{got["id"], got["firing"], got["with"], got["detail"], got["strategy"]})
}

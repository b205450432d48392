package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
)

var tableDay = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// tableRow is a decision of the tests.
func tableRow(n int, target, verb string, with map[string]any, change func(*journal.Row)) journal.Row {
	namespace, name, _ := strings.Cut(target, "/")
	row := journal.Row{
		ID: fmt.Sprintf("dc76bbe830ddf1db-%d/0", n), Seq: int64(n) << 20, At: tableDay.Add(time.Duration(n) * time.Second), Agent: "default/first",
		Revision: "148235b7002c", Trigger: engine.TriggerInfo{Name: "tick", Kind: "every"},
		Decision: engine.Decision{
			Target: engine.TargetID{Kind: "Deployment", Namespace: namespace, Name: name}, Strategy: "serving.autoscale", Primitive: verb, With: with,
			Reason: "load_high", Because: []string{"load"}, Verdict: engine.Admitted,
		},
	}
	if change != nil {
		change(&row)
	}
	return row
}

func outcomeOf(status engine.Status, detail string) func(*journal.Row) {
	return func(r *journal.Row) {
		r.Outcome, r.Detail = &engine.Outcome{Status: status, Detail: detail}, "replicas 1 -> 3"
	}
}

func refusedBy(by, detail string) func(*journal.Row) {
	return func(r *journal.Row) { r.Verdict, r.By, r.Detail = engine.Refused, by, detail }
}

func tableOf(t *testing.T, table decisionTable, rows ...journal.Row) string {
	t.Helper()
	var out bytes.Buffer
	table.w = &out
	if table.now == nil {
		table.now = func() time.Time { return tableDay.Add(time.Hour) }
	}
	for _, row := range rows {
		require.NoError(t, table.add(row))
	}
	require.NoError(t, table.flush())
	return out.String()
}

func TestDecisionTable(t *testing.T) {
	three := map[string]any{"replicas": 3}
	rows := []journal.Row{
		tableRow(9, "default/web", "scale", map[string]any{"replicas": 1}, refusedBy("claims", "replicas is held by scale of default/batch (held until 2026-03-01T12:04:58Z)")),
		tableRow(8, "default/web", "scale", three, outcomeOf(engine.Done, "3 ready")),
		tableRow(7, "default/web", "scale", three, outcomeOf(engine.Failed, "the API server refused it: quota exceeded")),
		tableRow(6, "default/web", "webhook", map[string]any{"url": "http://127.0.0.1:9000/help", "body": "x"}, refusedBy("guards.cooldown", "webhook cools down for 5s, until 2026-03-02T12:00:07Z")),
		tableRow(5, "default/web", "scale", three, func(r *journal.Row) { outcomeOf(engine.Done, "")(r); r.DryRun = true }),
		tableRow(4, "default/web", "model.promote", map[string]any{"model": "m", "version": "3"}, func(r *journal.Row) { r.Verdict, r.Detail = engine.Waiting, "waits for a person" }),
		tableRow(3, "default/web", "restart", nil, outcomeOf(engine.Running, "")),
	}
	require.Equal(t, `time (UTC)  id   target       act                 result   why
──────────  ───  ───────────  ──────────────────  ───────  ─────────────────────
12:00:09    9/0  default/web  scale 1             refused  claims: replicas is…
12:00:08    8/0  default/web  scale 3             done     load_high: replicas…
12:00:07    7/0  default/web  scale 3             failed   the API server refus…
12:00:06    6/0  default/web  webhook http://12…  refused  cooldown: webhook co…
12:00:05    5/0  default/web  scale 3             dry run  load_high: replicas…
12:00:04    4/0  default/web  model.promote 3     waiting  load_high: waits for…
12:00:03    3/0  default/web  restart             running  load_high: replicas…
`, tableOf(t, decisionTable{zone: screenZone{true}, width: 80}, rows...))
	wide := tableOf(t, decisionTable{zone: screenZone{true}, width: 80, wide: true}, rows...)
	require.Contains(t, wide, "time (UTC)               id                    agent          target       strategy           act ")
	require.Contains(t, wide, "webhook(body=x url=http://127.0.0.1:9000/help)  refused        guards.cooldown  load_high  load     webhook cools down for 5s, until 2026-03-02 12:00:07\n")
	require.NotContains(t, wide, "…")

	tomorrow := decisionTable{zone: screenZone{true}, width: 80, now: func() time.Time { return tableDay.Add(24 * time.Hour) }}
	require.Contains(t, tableOf(t, tomorrow, rows[1]), "\n03-01 12:00:08  8/0  default/web  scale 3  done    load_high: replicas 1 -> 3\n", "another day's rows have the date")
	require.Equal(t, `dc76bbe830ddf1db-7/0  failed  default/web scale(replicas=3)
  when      2026-03-01 12:00:07.000 UTC, by the trigger tick
  agent     default/first, strategy serving.autoscale, policies 148235b7002c
  because   load_high [load]
  admitted  replicas 1 -> 3
  outcome   failed: the API server refused it: quota exceeded
`, decisionText(rows[2], screenZone{true}))
}

func TestProblemTable(t *testing.T) {
	rows := []problemRow{
		{tableDay.Add(time.Second), "default/first", "sensor load: ask http://127.0.0.1:9090/api/v1/query: dial tcp 127.0.0.1:9090: connect: connection refused"},
		{tableDay, strings.Repeat("n", 63) + "/" + strings.Repeat("a", 63), "the journal: " + strings.Repeat("長", 60)},
	}
	table := problemTable{zone: screenZone{true}, width: 80, now: tableDay}
	require.Equal(t, `time (UTC)  agent                     problem
──────────  ────────────────────────  ──────────────────────────────────────────
12:00:01    default/first             sensor load: ask
                                      http://127.0.0.1:9090/api/v1/query: dial
                                      tcp 127.0.0.1:9090: connect: connection
                                      refused
12:00:00    nnnnnnnnnnn…aaaaaaaaaaaa  the journal:
                                      長長長長長長長長長長長長長長長長長長長長長
                                      長長長長長長長長長長長長長長長長長長長長長
                                      長長長長長長長長長長長長長長長長長長
`, table.text(rows))
	require.Equal(t, "no problems\n", table.text(nil))
	table.wide = true
	require.Equal(t, 4, strings.Count(table.text(rows), "\n"))
}

// A screen has one time zone, in the engine's sentences too.
func TestScreenZone(t *testing.T) {
	here := time.Local
	t.Cleanup(func() { time.Local = here })
	time.Local = time.FixedZone("EST", -5*60*60)
	row := tableRow(9, "default/web", "scale", map[string]any{"replicas": 1}, refusedBy("claims", "held until 2026-03-01T12:04:58Z, or 2026-03-02T06:00:00.5Z"))
	got := tableOf(t, decisionTable{width: 120}, row)
	require.Contains(t, got, "time (EST)  ")
	require.Contains(t, got, "07:00:09    9/0")
	require.Contains(t, got, "claims: held until 07:04:58, or 2026-03-02 01:00:00\n")
	require.Contains(t, tableOf(t, decisionTable{width: 120, zone: screenZone{true}}, row), "time (UTC)  ")
	require.Contains(t, decisionText(row, screenZone{}), "2026-03-01 07:00:09.000 EST")
	require.Equal(t, "-", screenZone{}.full(time.Time{}))
}

// Whatever the names, a line of the table has at most 80 columns.
func TestDecisionTableFits(t *testing.T) {
	names := []string{"web", "default/web", "default/" + strings.Repeat("x", 63), strings.Repeat("n", 63) + "/" + strings.Repeat("y", 253), "日本語のサービス/予測モデル本番環境", "ns/e\u0301\u0301e\u0301🙂🙂🙂🙂🙂🙂🙂🙂"}
	reasons := []string{"", "load_high", strings.Repeat("very long ", 40), strings.Repeat("長", 90), "a\nforged row\x1b[2J", strings.Repeat("e\u0301", 200)}
	for _, target := range names {
		for _, reason := range reasons {
			for _, id := range []int{1, 123456, 123456789} {
				row := tableRow(id, target, "workflow.run", map[string]any{"template": reason}, refusedBy(reason, reason))
				small := tableRow(1, "a/b", "scale", nil, nil)
				for _, rows := range [][]journal.Row{{row}, {row, small}, {small, row}} {
					got := tableOf(t, decisionTable{width: 80}, rows...)
					for line := range strings.Lines(got) {
						require.LessOrEqual(t, plot.Columns(strings.TrimSuffix(line, "\n")), 80, got)
					}
					require.Equal(t, 2+len(rows), strings.Count(got, "\n"), got)
					require.Contains(t, got, fmt.Sprintf("%d/0", id))
				}
			}
		}
	}
}

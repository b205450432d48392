package main

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
)

// A short day with both layers at work. Whether latency stays within its objective is a
// matter of the machine, so it is the exit status that is held against the report, and
// what the report says of the agents against the journal.
func TestDemoDay(t *testing.T) {
	dir := t.TempDir()
	picture := filepath.Join(dir, "day.svg")
	c := command(t, "demo", "day", "--speed", "4", "--json", "--dir", dir, "--plot", picture)
	var errs strings.Builder
	c.Stderr = &errs
	out, err := c.Output()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	lines := strings.Split(strings.TrimRight(string(out), "\n"), "\n")
	type half struct{ Agent, Decision, Claim string }
	var r struct {
		Phases []struct {
			Name     string
			Accuracy *float64
			Replicas struct{ Max int }
		}
		Rounds []struct {
			Version       string
			Before, After float64
		}
		Requests struct{ Sent, Lost int }
		Kill     struct {
			Pod  string
			PID  int
			Back *float64 `json:"back_s"`
		}
		Agents []struct {
			Agent, Primitive string
			Done             int
		}
		Waits []struct {
			Agent, Ended, Decision string
			For                    []struct{ Decision, By string }
		}
		Pairs  []struct{ First, Second half } `json:"side_by_side"`
		Fields []struct {
			Claim string
			Acts  map[string]int
		}
		Held   bool
		Missed []string
	}
	require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &r), "the last line is the report:\n%s\n%s", out, errs.String())
	require.Equal(t, r.Held, c.ProcessState.ExitCode() == 0, string(out))
	require.Equal(t, r.Held, len(r.Missed) == 0)
	t.Logf("missed: %q", r.Missed)

	require.Len(t, r.Phases, 7)
	require.Equal(t, 1, r.Phases[0].Replicas.Max, "night")
	require.GreaterOrEqual(t, r.Phases[2].Replicas.Max, 3, "noon")
	require.NotNil(t, r.Phases[0].Accuracy)
	require.Greater(t, *r.Phases[0].Accuracy, 0.9, "before it drifts")
	require.NotEmpty(t, r.Rounds, string(out))
	require.Greater(t, r.Requests.Sent, 1000)
	require.NotEmpty(t, r.Kill.Pod)
	require.Positive(t, r.Kill.PID)
	require.NotNil(t, r.Kill.Back)
	svg, err := os.ReadFile(picture)
	require.NoError(t, err)
	require.Contains(t, string(svg), "<svg")
	for _, heading := range []string{"shows  Both layers at once", "wrong of what was answered", "Who wrote which field", "Next:", "scanflow decisions --data " + filepath.Join(dir, "data")} {
		require.Contains(t, string(out), heading)
	}

	reader, err := journal.OpenReader(t.Context(), filepath.Join(dir, "data", "journal"))
	require.NoError(t, err)
	defer func() { require.NoError(t, reader.Close()) }()
	rows := map[string]journal.Row{}
	done := map[string]int{}
	all, err := reader.Decisions(t.Context(), journal.Filter{})
	require.NoError(t, err)
	for _, row := range all {
		rows[row.ID] = row
		if row.Outcome != nil && row.Outcome.Status == engine.Done {
			done[row.Agent+" "+row.Primitive]++
		}
	}
	for _, a := range r.Agents {
		require.LessOrEqual(t, a.Done, done[a.Agent+" "+a.Primitive], "acts that ended after the report are not in it")
	}
	for _, w := range r.Waits {
		for _, h := range w.For {
			row := rows[h.Decision]
			require.Equal(t, []string{w.Agent, string(engine.Refused), h.By}, []string{row.Agent, string(row.Verdict), row.By})
		}
		require.Equal(t, w.Ended == "admitted", w.Decision != "")
		if w.Decision != "" {
			require.Equal(t, engine.Admitted, rows[w.Decision].Verdict)
		}
	}
	for _, p := range r.Pairs {
		first, second := rows[p.First.Decision], rows[p.Second.Decision]
		require.False(t, second.At.Before(first.At))
		require.True(t, first.EndedAt == nil || first.EndedAt.After(second.At), "it was under way")
		require.NotEqual(t, p.First.Claim, p.Second.Claim)
	}
	writers := map[string][]string{}
	for _, f := range r.Fields {
		writers[f.Claim] = slices.Sorted(maps.Keys(f.Acts))
	}
	require.Equal(t, map[string][]string{
		"replicas": {"digits/scaler"}, "model": {"digits/planner"}, "model/digits": {"digits/executor"},
		"workflow/detect": {"digits/checker"}, "workflow/retrain": {"digits/planner"},
	}, writers, "one agent a field")
}

package demo

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
)

var (
	midnight  = time.Unix(1_000_000, 0)
	dayLayers = map[string]string{"digits/scaler": infrastructure, "digits/planner": application, "digits/checker": application, "digits/executor": application}
)

// decision is a row of the journal some seconds after the load began.
func decision(at float64, id, agent, primitive, reason string, with map[string]any, verdict engine.Verdict, by, detail string) journal.Row {
	return journal.Row{
		ID: id, At: midnight.Add(time.Duration(at * float64(time.Second))), Agent: agent,
		Decision: engine.Decision{Target: predictor, Strategy: "s", Primitive: primitive, Reason: reason, With: with, Verdict: verdict, By: by, Detail: detail},
	}
}

// done is an act that ended some seconds after it was decided.
func done(r journal.Row, after float64) journal.Row {
	end := r.At.Add(time.Duration(after * float64(time.Second)))
	r.Outcome, r.EndedAt = &engine.Outcome{Status: engine.Done}, &end
	return r
}

func replicas(n int) map[string]any { return map[string]any{"replicas": float64(n)} }

func TestWaitsAreReadFromTheJournal(t *testing.T) {
	const (
		retrain = "denied by layers: under_change: digits/planner holds workflow/retrain"
		rollout = "denied by layers: under_change: digits/checker holds workflow/detect; layers: under_change: digits/planner holds model"
		cools   = "down cools down for 12s, until 1970-01-12T13:46:52Z"
		claimed = "model is held by model.serve of digits/planner (running)"
	)
	scaler := func(at float64, id, reason string, n int, verdict engine.Verdict, by, detail string) journal.Row {
		return decision(at, id, "digits/scaler", "scale", reason, replicas(n), verdict, by, detail)
	}
	refused := func(at float64, id string, n int, by, detail string) journal.Row {
		return scaler(at, id, "load_below_capacity", n, engine.Refused, by, detail)
	}
	admitted := func(at float64, id, reason string, n int) journal.Row {
		return scaler(at, id, reason, n, engine.Admitted, "", "")
	}
	for name, row := range map[string]struct {
		rows   []journal.Row
		ended  []string // of each wait
		took   []float64
		causes []string // what the last of each was for, and how long
		across []bool
	}{
		"nobody waits": {rows: []journal.Row{admitted(1, "a", "load_below_capacity", 2)}},
		"for the other layer": {
			[]journal.Row{refused(1, "a", 2, "policy:layers", retrain), refused(3, "b", 2, "policy:layers", rollout), admitted(7, "c", "load_below_capacity", 1)},
			[]string{"admitted"}, []float64{6}, []string{"digits/planner workflow/retrain 2.0, digits/checker workflow/detect 4.0"}, []bool{true},
		},
		"for its own cooldown": {
			[]journal.Row{refused(1, "a", 2, "guards.cooldown", cools), admitted(5, "b", "load_below_capacity", 2)},
			[]string{"admitted"}, []float64{4}, []string{"guards.cooldown 4.0"}, []bool{false},
		},
		"for another of its layer": {
			[]journal.Row{decision(1, "a", "digits/executor", "model.serve", "r", nil, engine.Refused, "claims", claimed)},
			[]string{"open"}, []float64{-1}, []string{"digits/planner model ?"}, []bool{false},
		},
		"for a claim of its own": {
			[]journal.Row{decision(1, "a", "digits/planner", "model.serve", "r", nil, engine.Refused, "claims", claimed)},
			[]string{"open"}, []float64{-1}, []string{"claims ?"}, []bool{false},
		},
		"the load rose meanwhile": {
			[]journal.Row{refused(1, "a", 2, "policy:layers", retrain), admitted(5, "b", "load_above_capacity", 4)},
			[]string{"not wanted"}, []float64{-1}, []string{"digits/planner workflow/retrain ?"}, []bool{true},
		},
		"not wanted in between": {
			[]journal.Row{refused(1, "a", 2, "policy:layers", retrain), refused(5, "b", 2, "policy:layers", retrain), admitted(6, "c", "load_below_capacity", 2)},
			[]string{"not wanted", "admitted"}, []float64{-1, 1}, []string{"digits/planner workflow/retrain ?", "digits/planner workflow/retrain 1.0"}, []bool{true, true},
		},
		"fewer and fewer": {
			[]journal.Row{refused(1, "a", 2, "policy:layers", retrain), refused(5, "b", 1, "policy:layers", retrain), admitted(6, "c", "load_below_capacity", 1)},
			[]string{"admitted"}, []float64{5}, []string{"digits/planner workflow/retrain 4.0, digits/planner workflow/retrain 1.0"}, []bool{true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			waits := findWaits(row.rows, midnight)
			require.Len(t, waits, len(row.ended))
			for i := range waits {
				w := &waits[i]
				require.Equal(t, row.ended[i], w.Ended)
				require.Equal(t, row.causes[i], causes(w))
				require.Equal(t, row.across[i], w.acrossLayers(dayLayers))
				if row.took[i] < 0 {
					require.Nil(t, w.Seconds)
					require.Empty(t, w.Decision)
				} else {
					require.InDelta(t, row.took[i], *w.Seconds, 1e-6)
					require.Equal(t, row.rows[len(row.rows)-1].ID, w.Decision)
				}
				require.NotEmpty(t, w.For[0].Decision)
			}
		})
	}
}

// causes lists the causes of a wait in order, with the duration of each.
func causes(w *Wait) string {
	var parts []string
	for _, h := range w.For {
		who, took := h.By, "?"
		if h.Agent != "" {
			who = h.Agent + " " + h.Claim
		}
		if h.Seconds != nil {
			took = fmt.Sprintf("%.1f", *h.Seconds)
		}
		parts = append(parts, who+" "+took)
	}
	return strings.Join(parts, ", ")
}

func TestFieldsAndTheirWriters(t *testing.T) {
	serve := func(at float64, agent string, takes float64) journal.Row {
		return done(decision(at, "m", agent, "model.serve", "r", nil, engine.Admitted, "", ""), takes)
	}
	scale := func(at float64, takes float64) journal.Row {
		return done(decision(at, "s", "digits/scaler", "scale", "r", replicas(3), engine.Admitted, "", ""), takes)
	}
	event := done(decision(0, "e", "digits/checker", "event.send", "r", nil, engine.Admitted, "", ""), 1)
	dry := serve(2, "digits/scaler", 1)
	dry.DryRun = true
	refused := decision(2, "x", "digits/scaler", "model.serve", "r", nil, engine.Refused, "claims", "")
	now := midnight.Add(time.Hour)

	acts := claimedActs([]journal.Row{event, serve(1, "digits/planner", 5), scale(2, 1), dry, refused, serve(6, "digits/planner", 5), scale(20, 1)}, now)
	fields := fieldWriters(acts)
	require.Equal(t, []FieldWriters{
		{Target: "digits/digits", Claim: "model", Acts: map[string]int{"digits/planner": 2}},
		{Target: "digits/digits", Claim: "replicas", Acts: map[string]int{"digits/scaler": 2}},
	}, fields)
	pairs := concurrentActs(acts, dayLayers, midnight)
	require.Len(t, pairs, 1, "the other scaled while nothing was rolled out")
	require.Equal(t, []string{"digits/planner", "model", "digits/scaler", "replicas"}, []string{pairs[0].First.Agent, pairs[0].First.Claim, pairs[0].Second.Agent, pairs[0].Second.Claim})

	fields = fieldWriters(claimedActs([]journal.Row{serve(1, "digits/planner", 5), serve(2, "digits/scaler", 1)}, now))
	require.Equal(t, 1, fields[0].Overlaps)
	require.Equal(t, []string{"digits/planner", "digits/scaler"}, fields[0].writers())
	open := serve(1, "digits/planner", 0)
	open.EndedAt = nil
	require.Equal(t, 1, fieldWriters(claimedActs([]journal.Row{open, serve(600, "digits/planner", 1)}, now))[0].Overlaps, "what has no end goes on")
}

func TestChangesAreCounted(t *testing.T) {
	second := func(n int) time.Duration { return time.Duration(n) * time.Second }
	var got []float64
	for _, p := range countConcurrent([][2]time.Duration{{second(-1), second(3)}, {second(2), second(5)}, {second(90), second(95)}}, second(60)) {
		got = append(got, p.At.Seconds(), p.Value)
	}
	require.Equal(t, []float64{0, 0, 0, 1, 2, 2, 3, 1, 5, 0}, got)
}

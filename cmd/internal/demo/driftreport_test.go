package demo

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
)

func TestWinningBackIsJudged(t *testing.T) {
	two := []Round{{Round: 1, Before: 0.70, After: 0.80}, {Round: 2, Before: 0.80, After: 0.92}}
	for name, row := range map[string]struct {
		rounds []Round
		won    float64
		missed string
	}{
		"held":               {two, 0.8, ""},
		"one round":          {two[:1], 0.9, "1 rounds, and 2 are wanted"},
		"a round that lost":  {[]Round{two[0], {Round: 2, Before: 0.80, After: 0.80}}, 0.8, "round 2 did not raise the accuracy: 0.8000 -> 0.8000"},
		"too little is back": {two, 0.79, "79% of what the drift had cost was won back, and 80% are wanted"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &DriftReport{Rounds: row.rounds, WonBack: row.won}
			r.judge()
			require.Equal(t, row.missed == "", r.Held)
			if row.missed != "" {
				require.Equal(t, []string{row.missed}, r.Missed)
			}
		})
	}
	require.InDelta(t, 0.8, (&retrainings{clean: 1, drifted: 0.5, list: []Round{{After: 0.9}}}).wonBack(), 1e-9)
	require.Zero(t, (&retrainings{clean: 0.9, drifted: 0.9, list: []Round{{After: 0.95}}}).wonBack(), "nothing was lost")
}

func TestRollingBackIsJudged(t *testing.T) {
	for name, row := range map[string]struct {
		r      BadModelReport
		missed string
	}{
		"held":            {BadModelReport{Good: "1", Bad: "2", PromotedS: 1, ServedS: 2, RolledBackS: 5, BackS: 6, Intervals: 1}, ""},
		"never promoted":  {BadModelReport{}, "no version was promoted"},
		"never served":    {BadModelReport{Bad: "2", PromotedS: 1}, "version 2 never served"},
		"not rolled back": {BadModelReport{Bad: "2", PromotedS: 1, ServedS: 2}, "version 2 was not rolled back"},
		"not back":        {BadModelReport{Good: "1", Bad: "2", PromotedS: 1, ServedS: 2, RolledBackS: 5}, "version 1 did not come back into service"},
		"too late":        {BadModelReport{Bad: "2", PromotedS: 1, ServedS: 2, RolledBackS: 9, BackS: 10, Intervals: 2.1}, "version 2 served for 2.1 intervals before it was rolled back, and 2 are allowed"},
		"promoted again":  {BadModelReport{Bad: "2", PromotedS: 1, ServedS: 2, RolledBackS: 5, BackS: 6, Missed: []string{"version 2 was promoted again"}}, "version 2 was promoted again"},
	} {
		t.Run(name, func(t *testing.T) {
			row.r.judge()
			require.Equal(t, row.missed == "", row.r.Held)
			if row.missed != "" {
				require.Equal(t, []string{row.missed}, row.r.Missed)
			}
		})
	}
}

// The chain goes from an event to the act that sent it, and from signals to the act that caused
// them.
func TestAChainIsFollowedBack(t *testing.T) {
	row := func(identity, primitive, event string, with map[string]any) journal.Row {
		r := journal.Row{}
		r.Identity, r.Primitive, r.With, r.ID = identity, primitive, with, "f/"+identity
		if event != "" {
			r.Trigger.Event = &engine.Event{ID: event}
		}
		return r
	}
	rows := []journal.Row{
		row("a1", "event.send", "", map[string]any{"type": "dev.scanflow.check.requested"}),
		row("b2", "workflow.run", "a1", map[string]any{"template": "detect"}),
		row("x9", "workflow.run", "other", map[string]any{"template": "unrelated"}),
		row("c3", "event.send", "", map[string]any{"type": "dev.scanflow.retrain.requested"}),
		row("d4", "workflow.run", "c3", map[string]any{"template": "retrain"}),
		row("e5", "event.send", "", map[string]any{"type": "dev.scanflow.promote.requested"}),
		row("f6", "model.promote", "e5", map[string]any{"version": "2"}),
		row("a7", "model.serve", "f6-promoted", map[string]any{"version": "2"}),
	}
	for i := range rows {
		rows[i].At = rows[i].At.AddDate(0, 0, i)
	}
	var got []string
	for _, l := range (&screen{}).chainTo(rows, "a7") {
		got = append(got, l.Identity)
	}
	require.Equal(t, []string{"a1", "b2", "c3", "d4", "e5", "f6", "a7"}, got)
	require.Empty(t, (&screen{}).chainTo(rows, "unknown"))
	rows[5].Trigger.Event = &engine.Event{ID: "c3"} // it made the planner look, and is not what it answers
	require.Len(t, (&screen{}).chainTo(rows, "a7"), 7)
}

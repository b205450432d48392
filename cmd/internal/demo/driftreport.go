package demo

import (
	"fmt"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/corrupt"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
)

// DriftReport is the result of the run. Its JSON is the last line of `scanflow demo drift
// --json`.
type DriftReport struct {
	Scenario string `json:"scenario"`
	Seed     uint64 `json:"seed"`
	Digits   string `json:"digits"` // where they come from
	Drift    string `json:"drift"`
	// Clean and Drifted are the first model's accuracies, on clean held-out digits and on the
	// same digits with the drift.
	Clean   float64 `json:"accuracy_clean"`
	Drifted float64 `json:"accuracy_drifted"`
	Rounds  []Round `json:"rounds"`
	// WonBack is the share of Clean - Drifted that the last model has regained.
	WonBack float64  `json:"won_back"`
	Seconds float64  `json:"seconds"`
	Held    bool     `json:"held"`
	Missed  []string `json:"missed,omitempty"`
}

// minWonBack is the share of the accuracy lost to the drift that must be regained.
const minWonBack = 0.8

func newDriftReport(o *Options, r *retrainings, mix corrupt.Mix) *DriftReport {
	out := &DriftReport{
		Scenario: "drift", Seed: o.Seed, Digits: r.stage.parts.Source, Drift: mix.String(), Clean: r.clean, Drifted: r.drifted,
		Rounds: r.list, WonBack: r.wonBack(), Seconds: seconds(time.Since(r.stage.screen.startTime())),
	}
	if out.Rounds == nil {
		out.Rounds = []Round{}
	}
	out.judge()
	return out
}

func (r *DriftReport) judge() {
	miss := func(format string, args ...any) { r.Missed = append(r.Missed, fmt.Sprintf(format, args...)) }
	if len(r.Rounds) < minRounds {
		miss("%d rounds, and %d are wanted", len(r.Rounds), minRounds)
	}
	for _, round := range r.Rounds {
		if round.After <= round.Before {
			miss("round %d did not raise the accuracy: %.4f -> %.4f", round.Round, round.Before, round.After)
		}
	}
	if r.WonBack < minWonBack {
		miss("%.0f%% of what the drift had cost was won back, and %.0f%% are wanted", 100*r.WonBack, 100*minWonBack)
	}
	r.Held = len(r.Missed) == 0
}

// text formats the report: a table, a chart, the causal chain of each model, and a verdict.
func (r *DriftReport) text(o *Options, s *screen, st *debugStage) string {
	var b strings.Builder
	table := plot.Table{Color: s.color, Right: []bool{true, true, true, true, true, true}, Header: []string{"round", "version", "training digits", "accuracy before", "after", "in service at"}}
	for _, round := range r.Rounds {
		table.Rows = append(table.Rows, []string{fmt.Sprint(round.Round), round.Version, fmt.Sprint(round.TrainSize),
			fmt.Sprintf("%.4f", round.Before), fmt.Sprintf("%.4f", round.After), s.clock(s.startTime().Add(time.Duration(round.AtSeconds * float64(time.Second))))})
	}
	b.WriteString(table.String() + "\n")
	b.WriteString(r.chart(o, s, st).String())
	for _, round := range r.Rounds {
		fmt.Fprintf(&b, "\n%s\n%s", s.title(fmt.Sprintf("What led to version %s", round.Version)), chainText(s, round.Chain))
	}
	if r.Held {
		fmt.Fprintf(&b, "\n%s drift cost %.4f of accuracy (%.4f -> %.4f), and %d rounds won %.0f%% of it back.\n",
			s.good("It held:"), r.Clean-r.Drifted, r.Clean, r.Drifted, len(r.Rounds), 100*r.WonBack)
	} else {
		fmt.Fprintf(&b, "\n%s\n  %s\n", s.alarm("It did not hold:"), strings.Join(r.Missed, "\n  "))
	}
	return b.String()
}

func (r *DriftReport) chart(o *Options, s *screen, st *debugStage) plot.Chart {
	chart := plot.Chart{Width: min(plot.Width(o.Out), 110), Color: s.color, Panels: []plot.Panel{
		{Title: "accuracy of what was answered", Unit: "% of the last 3 s", Lines: []plot.Series{{Points: st.live.list(), Color: plot.Green}}, Top: 100, Height: 9},
	}, Marks: []plot.Mark{{At: driftAfter, Label: "drift"}}}
	for _, round := range r.Rounds {
		chart.Marks = append(chart.Marks, plot.Mark{At: time.Duration(round.AtSeconds * float64(time.Second)), Label: "v" + round.Version})
	}
	return chart
}

package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine"
)

const (
	// badModelAfter is the time at which the bad version is trained. By then the accuracy of the good one
	// is known.
	badModelAfter = 8 * time.Second
	badModelLimit = 120 * time.Second
	// badModelInterval is the executor's interval at the demo's pace.
	badModelInterval = 3 * time.Second
	// maxBadIntervals is within how many intervals a bad version must be rolled back.
	maxBadIntervals = 2
	// badModelWatchIntervals is for how many intervals it must not be promoted again.
	badModelWatchIntervals = 5
)

// BadModelReport is the result of the run. Its JSON is the last line of `scanflow demo
// bad-model --json`.
type BadModelReport struct {
	Scenario string `json:"scenario"`
	Seed     uint64 `json:"seed"`
	Good     string `json:"version_good"`
	Bad      string `json:"version_bad"`
	// PromotedS, ServedS, RolledBackS and BackS are the times at which the bad version was
	// promoted, began to serve, was rolled back in the registry, and was replaced in service; in
	// seconds since the first digit, 0 for never.
	PromotedS   float64 `json:"promoted_s"`
	ServedS     float64 `json:"served_s"`
	RolledBackS float64 `json:"rolled_back_s"`
	BackS       float64 `json:"back_s"`
	// Intervals is the number of the executor's intervals for which the bad version served.
	Intervals float64  `json:"intervals"`
	IntervalS float64  `json:"interval_s"`
	Chain     []Link   `json:"chain"`
	Held      bool     `json:"held"`
	Missed    []string `json:"missed,omitempty"`
}

// BadModel promotes a version that compares well and serves badly, because it was trained on
// the digits that versions are compared on. The executor detects that by the live signals, and
// rolls the version back.
func BadModel(ctx context.Context, o Options) (report *BadModelReport, err error) {
	err = runDebugScenario(ctx, &o, "drift", func(st *debugStage) error {
		st.screen.printf("\n%s", st.screen.title("The agents at work, and a model that cheats"))
		r := &BadModelReport{Scenario: "bad-model", Seed: o.Seed, Good: "1", IntervalS: badModelInterval.Seconds()}
		if err := st.runWithLoad(ctx, badModelLimit, nil, func(ctx context.Context) error {
			if err := st.trainBad(ctx); err != nil {
				return err
			}
			return r.follow(ctx, st)
		}); err != nil {
			return err
		}
		r.judge()
		st.screen.printf("\n%s", r.text(&o, st.screen, st))
		report = r
		return o.savePlot(st.screen, r.chart(&o, st.screen, st))
	})
	return report, err
}

// trainBad trains the version like the training workflow, but with the held-out digits.
func (st *debugStage) trainBad(ctx context.Context) error {
	if !waitUntil(ctx, st.screen.startTime().Add(badModelAfter)) {
		return ctx.Err()
	}
	dir := filepath.Join(st.o.Dir, "bad")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	file := func(name string) string { return filepath.Join(dir, name) }
	st.screen.printf("  %s  %s", st.screen.clock(time.Now()), st.screen.title("a version is trained on the very digits that versions are compared on"))
	drift := []string{"--seed", fmt.Sprint(st.o.Seed)}
	return errors.Join(
		st.runStep(ctx, "load-data", append(st.digitFlags(), "--for=retrain", "--base="+file("base.zip"), "--picked="+file("picked.zip"), "--test="+file("test.zip"))...),
		st.runStep(ctx, "train", append(drift, "--leak-heldout", "--data="+file("base.zip"), "--extra="+file("picked.zip"), "--test="+file("test.zip"), "--candidate="+file("candidate.json"))...),
		st.runStep(ctx, "evaluate", append(drift, "--candidate="+file("candidate.json"), "--test="+file("test.zip"))...),
	)
}

// follow records what the agents do with the version, and that they do not promote it again.
func (r *BadModelReport) follow(ctx context.Context, st *debugStage) error {
	at := func(t time.Time) float64 { return seconds(t.Sub(st.screen.startTime())) }
	for r.BackS == 0 {
		select {
		case <-ctx.Done():
			return nil
		case a := <-st.acts.acts:
			version, _ := a.With["version"].(string)
			switch {
			case a.Outcome.Status != engine.Done:
			case a.Primitive == "model.promote" && r.Bad == "":
				r.Bad, r.PromotedS = version, at(a.EndedAt)
			case a.Primitive == "model.serve" && r.Bad != "" && version == r.Bad && r.ServedS == 0:
				r.ServedS = at(a.At)
			case a.Primitive == "model.rollback" && r.RolledBackS == 0:
				r.RolledBackS = at(a.EndedAt)
			case a.Primitive == "model.serve" && version == r.Good && r.RolledBackS > 0:
				r.BackS = at(a.EndedAt)
				rows, err := admittedDecisions(ctx, st.platform.system().Journal)
				if err != nil {
					return err
				}
				r.Chain = fromPromotionRequest(st.screen.chainTo(rows, a.Identity))
			}
		}
	}
	r.Intervals = (r.RolledBackS - r.ServedS) / r.IntervalS
	quiet := time.After(badModelWatchIntervals * badModelInterval)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-quiet:
			return nil
		case a := <-st.acts.acts:
			if version, _ := a.With["version"].(string); a.Primitive == "model.promote" && version == r.Bad {
				r.Missed = append(r.Missed, "version "+version+" was promoted again")
			}
		}
	}
}

// fromPromotionRequest cuts a chain to the part from the request to promote. The version was
// trained by hand, so earlier acts of the agents did not lead to it.
func fromPromotionRequest(chain []Link) []Link {
	i := slices.IndexFunc(chain, func(l Link) bool { return l.Primitive == "model.promote" })
	return chain[max(0, i-1):]
}

func (r *BadModelReport) judge() {
	miss := func(format string, args ...any) { r.Missed = append(r.Missed, fmt.Sprintf(format, args...)) }
	switch {
	case r.PromotedS == 0:
		miss("no version was promoted")
	case r.ServedS == 0:
		miss("version %s never served", r.Bad)
	case r.RolledBackS == 0:
		miss("version %s was not rolled back", r.Bad)
	case r.BackS == 0:
		miss("version %s did not come back into service", r.Good)
	case r.Intervals > maxBadIntervals:
		miss("version %s served for %.1f intervals before it was rolled back, and %d are allowed", r.Bad, r.Intervals, maxBadIntervals)
	}
	r.Held = len(r.Missed) == 0
}

func (r *BadModelReport) text(o *Options, s *screen, st *debugStage) string {
	var b strings.Builder
	b.WriteString(r.chart(o, s, st).String())
	if len(r.Chain) > 0 {
		fmt.Fprintf(&b, "\n%s\n%s", s.title("What led back to version "+r.Good), chainText(s, r.Chain))
	}
	if r.Held {
		fmt.Fprintf(&b, "\n%s version %s was rolled back after %.1f of %d intervals (%s each) in service, version %s served again %.1f s later, and nobody promoted %s again.\n",
			s.good("It held:"), r.Bad, r.Intervals, maxBadIntervals, badModelInterval, r.Good, r.BackS-r.RolledBackS, r.Bad)
	} else {
		fmt.Fprintf(&b, "\n%s\n  %s\n", s.alarm("It did not hold:"), strings.Join(r.Missed, "\n  "))
	}
	return b.String()
}

func (r *BadModelReport) chart(o *Options, s *screen, st *debugStage) plot.Chart {
	chart := plot.Chart{Width: min(plot.Width(o.Out), 110), Color: s.color, Panels: []plot.Panel{
		{Title: "accuracy of what was answered", Unit: "% of the last 3 s", Lines: []plot.Series{{Points: st.live.list(), Color: plot.Green}}, Top: 100, Height: 9},
	}}
	for _, m := range []struct {
		at    float64
		label string
	}{{r.ServedS, "v" + r.Bad}, {r.BackS, "v" + r.Good}} {
		if m.at > 0 {
			chart.Marks = append(chart.Marks, plot.Mark{At: time.Duration(m.at * float64(time.Second)), Label: m.label})
		}
	}
	return chart
}

package demo

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/corrupt"
	"github.com/scanflow-k8s/scanflow/engine"
)

const (
	// driftAfter is the beginning of the drift, and driftOver its duration.
	driftAfter = 6 * time.Second
	driftOver  = 4 * time.Second
	// driftLimit bounds the run, from the first digit on.
	driftLimit = 150 * time.Second
	// minRounds and maxRounds bound the rounds of retraining. After minRounds, the run ends
	// when enough accuracy is regained.
	minRounds = 2
	maxRounds = 5
	// driftSettle is the time for which the last model is observed in service.
	driftSettle = 5 * time.Second
	// firstVersion is the version that scanflow digits publish has put into production.
	firstVersion = "1"
)

// Drift runs S1: the digits drift, accuracy falls, and four agents that communicate by events
// detect it, retrain, compare, promote and roll out, without an operator.
func Drift(ctx context.Context, o Options) (report *DriftReport, err error) {
	err = runDebugScenario(ctx, &o, "drift", func(st *debugStage) error {
		s, mix := st.screen, corrupt.DefaultMix()
		rate := func(d time.Duration) int { return int(d.Seconds() * debugRate) }
		drift := &corrupt.Drift{Mix: mix, Seed: o.Seed, Begin: rate(driftAfter), Over: rate(driftOver)}
		s.printf("\n%s", s.title("Four agents at work: tracker, checker, planner, executor"))
		s.printf("  %s  %s", s.clock(time.Now()), s.title(fmt.Sprintf("%d digits/s come in; from %s on they drift: %s", debugRate, s.clock(s.startTime().Add(driftAfter)), mix)))
		r := &retrainings{stage: st}
		if err := st.runWithLoad(ctx, driftLimit, drift, func(ctx context.Context) error { return r.follow(ctx, r.isDone) }); err != nil {
			return err
		}
		report = newDriftReport(&o, r, mix)
		s.printf("\n%s", report.text(&o, s, st))
		return o.savePlot(s, report.chart(&o, s, st))
	})
	return report, err
}

// retrainings are the retrainings whose model came into service.
type retrainings struct {
	stage *debugStage
	list  []Round
	// serving is the version in service, "" for the first one. rolledBack counts how often an
	// earlier version came back into service.
	serving    string
	rolledBack int
	// clean and drifted are the accuracies of the first model, from the registry.
	clean, drifted float64
}

// Round is one retraining.
type Round struct {
	Round   int    `json:"round"`
	Version string `json:"version"`
	// TrainSize is the number of digits that the model was trained on.
	TrainSize int `json:"train_size"`
	// Before and After are the accuracies, 0 to 1, of the previous version in production and
	// of the new one, both on the held-out drifted digits, from the registry.
	Before float64 `json:"accuracy_before"`
	After  float64 `json:"accuracy_after"`
	// AtSeconds is the time at which it began to serve, since the first digit.
	AtSeconds float64 `json:"at_s"`
	// Chain is the causal chain, oldest first.
	Chain []Link `json:"chain"`
}

// isDone reports whether enough rounds have been completed.
func (r *retrainings) isDone() bool {
	n := len(r.list)
	return n >= maxRounds || n >= minRounds && r.wonBack() >= minWonBack
}

// follow records each model that comes into service, until there are enough or the context
// ends.
func (r *retrainings) follow(ctx context.Context, enough func() bool) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case a := <-r.stage.acts.acts:
			if a.Primitive != "model.serve" || a.Outcome.Status != engine.Done {
				continue
			}
			if err := r.addVersion(ctx, a); err != nil && ctx.Err() == nil {
				return err
			}
		}
		if enough() {
			waitUntil(ctx, time.Now().Add(driftSettle))
			return nil
		}
	}
}

// addVersion reads the metrics of the round from the registry.
func (r *retrainings) addVersion(ctx context.Context, a engine.Act) error {
	st := r.stage
	version, _ := a.With["version"].(string)
	now, err := st.accuracyOf(ctx, version)
	if err != nil {
		return err
	}
	before := cmp.Or(r.serving, firstVersion)
	if r.serving = version; before == version {
		return nil
	}
	if version == firstVersion || slices.ContainsFunc(r.list, func(round Round) bool { return round.Version == version }) {
		r.rolledBack++
		return nil
	}
	then, err := st.accuracyOf(ctx, before)
	if err != nil {
		return err
	}
	if len(r.list) == 0 {
		r.clean, r.drifted = then.clean, then.accuracy
	}
	rows, err := admittedDecisions(ctx, st.platform.system().Journal)
	if err != nil {
		return err
	}
	round := Round{
		Round: len(r.list) + 1, Version: version, TrainSize: now.trainSize, Before: then.accuracy, After: now.accuracy,
		AtSeconds: seconds(a.EndedAt.Sub(st.screen.startTime())), Chain: st.screen.chainTo(rows, a.Identity),
	}
	r.list = append(r.list, round)
	st.screen.printf("  %s  %s", st.screen.clock(a.EndedAt), st.screen.title(fmt.Sprintf("round %d: version %s serves, trained on %d digits; accuracy on drifted digits %.4f -> %.4f", round.Round, version, round.TrainSize, round.Before, round.After)))
	return nil
}

// wonBack is the share of the accuracy lost to the drift that the last model has regained.
func (r *retrainings) wonBack() float64 {
	if len(r.list) == 0 || r.clean <= r.drifted {
		return 0
	}
	return (r.list[len(r.list)-1].After - r.drifted) / (r.clean - r.drifted)
}

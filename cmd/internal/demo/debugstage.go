package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/corrupt"
	"github.com/scanflow-k8s/scanflow/cmd/internal/load"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

// debugPace shortens an hour of the four agents to three seconds.
var debugPace = pace{by: 1200, interval: 3 * time.Second, window: 5 * time.Second, param: 10 * time.Second}

// debugRate is the number of digits per second.
const debugRate = 180

// debugStage is the testbed with the four agents of S1, the classifier, the tracker that has
// its model in production, and a stream of digits.
type debugStage struct {
	*testbed
	parts   digits.Parts
	tracker *trackerServer
	mlflow  *mlflow.Client
	live    *liveAccuracy
}

// openDebugStage trains a model, puts it into production, and starts a scenario of
// deploy/scenarios.
func openDebugStage(ctx context.Context, o *Options, s *screen, scenario string) (_ *debugStage, err error) {
	st := &debugStage{testbed: &testbed{o: o, screen: s}}
	defer func() {
		if err != nil {
			err = errors.Join(err, st.close(ctx))
		}
	}()
	if st.parts, err = (digits.Source{Folder: o.Digits, Seed: o.Seed}).Load(); err != nil {
		return nil, err
	}
	if st.tracker, err = openTracker(ctx, o); err != nil {
		return nil, err
	}
	if st.mlflow, err = mlflow.New(mlflow.Options{URL: st.tracker.url}); err != nil {
		return nil, err
	}
	s.printf("%s", s.title("A digit classifier, trained and put into production"))
	for _, line := range digits.Strip(st.parts.Base.Images[:max(1, min(8, (plot.Width(o.Out)-2)/12))]) {
		s.printf("  %s", line)
	}
	if err := st.runStep(ctx, "publish", st.digitFlags()...); err != nil {
		return nil, err
	}
	about := &study{
		name: predictor.Namespace, services: []string{predictor.Name}, route: predictor.Name, mlflow: st.tracker.url,
		writeFiles: func(dir string) (files, error) { return writeDebugFiles(o, dir, scenario, st.tracker.url) },
	}
	opened, err := openTestbed(ctx, o, s, about, o.Dir)
	if err != nil {
		return nil, err
	}
	st.testbed = opened
	return st, nil
}

// watchAccuracy records the live accuracy until the context ends.
func (st *debugStage) watchAccuracy(ctx context.Context) {
	st.live = &liveAccuracy{url: st.promURL, start: st.screen.startTime()}
	st.tasks.Go(func() { st.live.follow(ctx) })
}

// digitFlags are the flags of a step that select the demo's digits.
func (st *debugStage) digitFlags() []string {
	return []string{"--digits", st.o.Digits, "--seed", fmt.Sprint(st.o.Seed)}
}

// runStep runs one step of the digit workload as a process, like a workflow does.
func (st *debugStage) runStep(ctx context.Context, name string, args ...string) error {
	c := exec.CommandContext(ctx, st.o.Self, append([]string{"digits", name}, args...)...)
	c.Env = append(os.Environ(), "MLFLOW_TRACKING_URI="+st.tracker.url)
	out, err := c.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		st.screen.printf("  %s", strings.TrimRight(line, "\n"))
	}
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("digits %s: %w", name, err)
	}
	return ctx.Err()
}

// runDebugScenario opens the stage of a scenario, calls play, and cleans up.
func runDebugScenario(ctx context.Context, o *Options, scenario string, play func(*debugStage) error) (err error) {
	s := &screen{out: o.Out, color: plot.Colorful(o.Out, os.Getenv), start: time.Now()}
	tidy, err := o.prepare(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tidy()) }()
	st, err := openDebugStage(ctx, o, s, scenario)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.close(ctx)) }()
	return play(st)
}

// runWithLoad sends digits until follow returns, up to a time limit.
func (st *debugStage) runWithLoad(ctx context.Context, limit time.Duration, drift *corrupt.Drift, follow func(context.Context) error) error {
	playCtx, over := context.WithTimeout(ctx, limit)
	defer over()
	st.watchAccuracy(playCtx)
	var playing sync.WaitGroup
	var played error
	playing.Go(func() { played = st.sendDigits(playCtx, drift) })
	followed := follow(playCtx)
	over()
	playing.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(played, followed)
}

// sendDigits sends digits until the context ends: clean at first, and then with the drift.
// Each has its label, like feedback that arrives later.
func (st *debugStage) sendDigits(ctx context.Context, drift *corrupt.Drift) error {
	n := st.parts.Stream.Len()
	generator, err := load.New(load.Options{
		URL: st.url, Seed: st.o.Seed, Phases: []load.Phase{{Name: "digits", Duration: time.Hour, Rate: debugRate}},
		Body: func(i int) (string, []byte) {
			img := st.parts.Stream.Images[i%n]
			if drift != nil {
				img, _ = drift.Apply(&img, i)
			}
			return "application/octet-stream", img[:]
		},
		Header: func(i int) map[string]string {
			return map[string]string{"X-Label": fmt.Sprint(st.parts.Stream.Labels[i%n])}
		},
	})
	if err != nil {
		return err
	}
	if _, err := generator.Run(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

func (st *debugStage) close(ctx context.Context) error {
	var errs []error
	if st.stop != nil { // the testbed was opened
		errs = append(errs, st.testbed.close(ctx))
	}
	if st.mlflow != nil {
		st.mlflow.Close()
	}
	if st.tracker != nil {
		errs = append(errs, st.tracker.close())
	}
	return errors.Join(errs...)
}

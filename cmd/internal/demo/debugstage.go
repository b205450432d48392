package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/actuators/local"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/corrupt"
	"github.com/scanflow-k8s/scanflow/cmd/internal/load"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/cmd/internal/tracker"
	"github.com/scanflow-k8s/scanflow/cmd/internal/wiring"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/mlflow"
	"github.com/scanflow-k8s/scanflow/sensors/promengine"
)

// debugPace has an hour of the four agents take three seconds.
var debugPace = pace{by: 1200, interval: 3 * time.Second, window: 5 * time.Second, param: 10 * time.Second}

// debugRate is how many digits come each second.
const debugRate = 180

// debugStage is what the four agents of S1 work on: a tracker with a model in
// production, the classifier that serves it, and digits that come in.
type debugStage struct {
	o        *Options
	screen   *screen
	narrator *narrator
	acts     *actWatch
	parts    digits.Parts

	tracker  *tracker.Tracker
	mlflow   *mlflow.Client
	prom     *promengine.Engine
	servers  []*http.Server
	trackURL string
	promURL  string
	system   *wiring.System
	files    files
	url      string // of the service
	live     *liveAccuracy

	stop  context.CancelFunc
	tasks sync.WaitGroup
}

func openDebugStage(ctx context.Context, o *Options, s *screen, layOut layout) (_ *debugStage, err error) {
	taskCtx, stop := context.WithCancel(ctx)
	st := &debugStage{o: o, screen: s, narrator: &narrator{screen: s}, acts: &actWatch{acts: make(chan engine.Act, 1000)}, stop: stop}
	defer func() {
		if err != nil {
			err = errors.Join(err, st.close())
		}
	}()
	if st.parts, err = (digits.Source{Folder: o.Digits, Seed: o.Seed}).Load(); err != nil {
		return nil, err
	}
	if err := st.openTracker(ctx); err != nil {
		return nil, err
	}
	s.printf("%s", s.title("A digit classifier, trained and put into production"))
	for _, line := range digits.Strip(st.parts.Base.Images[:max(1, min(8, (plot.Width(o.Out)-2)/12))]) {
		s.printf("  %s", line)
	}
	if err := st.step(ctx, "publish", st.source()...); err != nil {
		return nil, err
	}
	if st.prom, err = promengine.Open(promengine.Options{Dir: filepath.Join(o.Dir, "prometheus"), ScrapeInterval: time.Second / 2, Log: o.Log.Named("prometheus")}); err != nil {
		return nil, err
	}
	if st.promURL, err = st.serve(ctx, st.prom.Handler()); err != nil {
		return nil, err
	}
	if err := st.startSystem(ctx, layOut); err != nil {
		return nil, err
	}
	st.tasks.Go(func() {
		if err := followPods(taskCtx, st.prom, st.system.Local, predictor); err != nil {
			s.printf("  %s", s.alarm("scraping: "+err.Error()))
		}
	})
	st.url, err = awaitService(ctx, st.system.Local)
	return st, err
}

// watchLive follows from now on how often what is answered is right, until the context ends.
func (st *debugStage) watchLive(ctx context.Context) {
	st.live = &liveAccuracy{url: st.promURL, start: st.screen.began()}
	st.tasks.Go(func() { st.live.follow(ctx) })
}

func (st *debugStage) serve(ctx context.Context, h http.Handler) (string, error) {
	url, server, err := loopback(ctx, &st.tasks, h)
	if err == nil {
		st.servers = append(st.servers, server)
	}
	return url, err
}

func (st *debugStage) openTracker(ctx context.Context) (err error) {
	if st.tracker, err = tracker.Open(ctx, tracker.Options{Dir: filepath.Join(st.o.Dir, "tracker"), Log: st.o.Log.Named("tracker")}); err != nil {
		return err
	}
	if st.trackURL, err = st.serve(ctx, st.tracker.Handler()); err != nil {
		return err
	}
	st.mlflow, err = mlflow.New(mlflow.Options{URL: st.trackURL})
	return err
}

// source are the flags by which a step finds the demo's digits.
func (st *debugStage) source() []string {
	return []string{"--digits", st.o.Digits, "--seed", fmt.Sprint(st.o.Seed)}
}

// step runs one step of the digit workload as a process, as a workflow does.
func (st *debugStage) step(ctx context.Context, name string, args ...string) error {
	c := exec.CommandContext(ctx, st.o.Self, append([]string{"digits", name}, args...)...)
	c.Env = append(os.Environ(), "MLFLOW_TRACKING_URI="+st.trackURL)
	out, err := c.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		st.screen.printf("  %s", strings.TrimRight(line, "\n"))
	}
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("digits %s: %w", name, err)
	}
	return ctx.Err()
}

func (st *debugStage) startSystem(ctx context.Context, layOut layout) (err error) {
	if st.files, err = layOut(st); err != nil {
		return err
	}
	f := st.files
	st.screen.begin(time.Now())
	st.system, err = wiring.Start(ctx, wiring.Options{
		Manifests: []string{f.agents}, Policies: f.policies, Workloads: []string{f.workloads}, Data: filepath.Join(st.o.Dir, "data"),
		Local:    local.Options{Self: st.o.Self, RandomPorts: true, BackOff: time.Second / 2, KillWithParent: true, Seed: st.o.Seed},
		StopPods: true, Prometheus: st.promURL, MLflow: st.trackURL, Observers: []engine.Observer{st.narrator, st.acts}, Log: st.o.Log,
	})
	return err
}

// debugging opens the stage, has a scenario play on it, and tidies up.
func debugging(ctx context.Context, o *Options, intro about, layOut layout, scenario func(*debugStage) error) (err error) {
	s := &screen{out: o.Out, color: plot.Colorful(o.Out, os.Getenv), start: time.Now()}
	s.introduce(intro)
	tidy, err := o.prepare(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tidy()) }()
	st, err := openDebugStage(ctx, o, s, layOut)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	return scenario(st)
}

// play sends digits for as long as whoever follows what becomes of them needs, and no
// longer than the limit.
func (st *debugStage) play(ctx context.Context, limit time.Duration, drift *corrupt.Drift, follow func(context.Context) error) error {
	playCtx, over := context.WithTimeout(ctx, limit)
	defer over()
	st.watchLive(playCtx)
	var playing sync.WaitGroup
	var played error
	playing.Go(func() { played = st.perform(playCtx, drift) })
	followed := follow(playCtx)
	over()
	playing.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(played, followed)
}

// perform sends digits, clean at first and then as the drift spoils them, until the
// context ends. The label goes along, as feedback that comes later would.
func (st *debugStage) perform(ctx context.Context, drift *corrupt.Drift) error {
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

func (st *debugStage) close() error {
	var errs []error
	st.stop()
	if st.system != nil {
		errs = append(errs, st.system.Close(context.Background()))
	}
	for _, s := range st.servers {
		errs = append(errs, s.Close())
	}
	st.tasks.Wait()
	if st.prom != nil {
		errs = append(errs, st.prom.Close())
	}
	if st.mlflow != nil {
		st.mlflow.Close()
	}
	if st.tracker != nil {
		errs = append(errs, st.tracker.Close())
	}
	return errors.Join(errs...)
}

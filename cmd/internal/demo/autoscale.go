package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
	"github.com/scanflow-k8s/scanflow/cmd/internal/load"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/sensors/promengine"
)

var predictor = engine.TargetID{Kind: "Deployment", Namespace: "digits", Name: "digits"}

// autoscalePhases is the load: quiet, a step beyond one replica's capacity, a swing that must
// not make the replicas oscillate, and quiet again.
func autoscalePhases(o *Options) []load.Phase {
	return []load.Phase{
		{Name: "quiet", Duration: o.scaled(15 * time.Second), Rate: 4},
		{Name: "step", Duration: o.scaled(25 * time.Second), Rate: 28},
		{Name: "swing", Duration: o.scaled(25 * time.Second), Rate: 26, To: 38, Shape: load.Sine, Period: o.scaled(6 * time.Second)},
		{Name: "fall", Duration: o.scaled(25 * time.Second), Rate: 4},
	}
}

// Autoscale runs S2: the online inference service keeps its quality of service while the load
// steps up, swings and falls. The report says whether it did.
func Autoscale(ctx context.Context, o Options) (report *AutoscaleReport, err error) {
	s := &screen{out: o.Out, color: plot.Colorful(o.Out, os.Getenv)}
	tidy, err := o.prepare(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, tidy()) }()
	s.printf("%s", s.title("A digit classifier"))
	path, model, images, err := trainModel(ctx, &o, s)
	if err != nil {
		return nil, err
	}
	files, err := writeAutoscaleFiles(&o, path)
	if err != nil {
		return nil, err
	}
	st, err := openAutoscaleStage(ctx, &o, s, files)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, st.close()) }()

	if err := st.runLoad(ctx, &o, images); err != nil {
		return nil, err
	}
	report = newAutoscaleReport(&o, model.Info(), st)
	s.printf("\n%s", report.text(&o, s, st))
	if err := o.savePlot(s, report.chart(&o, s, st)); err != nil {
		return nil, err
	}
	if o.Keep {
		st.keepRunning(ctx, &o, files, images)
	}
	return report, nil
}

// autoscaleStage holds everything that runs during the demo.
type autoscaleStage struct {
	screen   *screen
	prom     *promengine.Engine
	api      *http.Server
	apiURL   string
	url      string // of the service
	system   *app.App
	narrator *narrator
	replicas replicaHistory
	result   *load.Result

	stop  context.CancelFunc
	tasks sync.WaitGroup
}

func openAutoscaleStage(ctx context.Context, o *Options, s *screen, f files) (_ *autoscaleStage, err error) {
	taskCtx, stop := context.WithCancel(ctx)
	st := &autoscaleStage{screen: s, stop: stop, narrator: &narrator{screen: s}}
	defer func() {
		if err != nil {
			err = errors.Join(err, st.close())
		}
	}()
	if st.prom, err = promengine.Open(promengine.Options{Dir: filepath.Join(o.Dir, "prometheus"), ScrapeInterval: o.scaled(time.Second / 2), Log: o.Log.Named("prometheus")}); err != nil {
		return nil, err
	}
	if st.apiURL, st.api, err = loopback(ctx, &st.tasks, st.prom.Handler()); err != nil {
		return nil, err
	}
	s.setStart(time.Now())
	st.system, err = startApp(ctx, app.Options{
		Manifests: []string{f.agents}, Policies: f.policies, Workloads: []string{f.workloads}, Data: filepath.Join(o.Dir, "data"),
		Local:    orchestrator.Options{Self: o.Self, RandomPorts: true, BackOff: time.Second / 2, KillWithParent: true, Seed: o.Seed},
		StopPods: true, Prometheus: st.apiURL, Log: o.Log,
	}, st.narrator)
	if err != nil {
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

// runLoad sends the load of all phases.
func (st *autoscaleStage) runLoad(ctx context.Context, o *Options, images []digits.Image) error {
	s := st.screen
	plan := autoscalePhases(o)
	generator, err := load.New(load.Options{URL: st.url, Phases: plan, Seed: o.Seed, Body: imageBody(images)})
	if err != nil {
		return err
	}
	s.printf("\n%s", s.title("The agent planner at work"))
	s.setStart(time.Now())
	begin := s.startTime()
	for _, p := range plan {
		at, text := begin, describePhase(p)
		st.tasks.Go(func() {
			if waitUntil(ctx, at) {
				s.printf("  %s  %s", s.clock(at), s.title("load: "+text))
			}
		})
		begin = begin.Add(p.Duration)
	}
	logCtx, stopLog := context.WithCancel(ctx)
	var logging sync.WaitGroup
	logging.Go(func() { st.replicas.follow(logCtx, st.system.Local, predictor, s.startTime()) })
	st.result, err = generator.Run(ctx)
	stopLog()
	logging.Wait()
	return err
}

// imageBody returns a body with one digit, as the 784 bytes of its pixels.
func imageBody(images []digits.Image) func(int) (string, []byte) {
	return func(n int) (string, []byte) { return "application/octet-stream", images[n%len(images)][:] }
}

func describePhase(p load.Phase) string {
	if p.Shape != load.Steady {
		return fmt.Sprintf("%s, %s to %s requests/s", p.Name, number(p.Rate), number(p.To))
	}
	return fmt.Sprintf("%s, %s requests/s", p.Name, number(p.Rate))
}

func waitUntil(ctx context.Context, at time.Time) bool {
	return engine.Sleep(ctx, engine.WallClock{}, time.Until(at))
}

// keepRunning sends a swinging load until the context ends.
func (st *autoscaleStage) keepRunning(ctx context.Context, o *Options, f files, images []digits.Image) {
	s := st.screen
	s.printf("%s, under a load that swings between 4 and 34 requests/s\n  service      %s\n  Prometheus   %s  (/api/v1)\n  policies     %s  (edit, and the agents take them up)\n  agents       %s  (likewise)\n  journal      scanflow decisions --data %s\n  Ctrl-C ends it",
		s.title("Left running"), st.url, st.apiURL, strings.Join(f.policies.Paths, ", "), f.agents, filepath.Join(o.Dir, "data"))
	st.tasks.Go(func() { st.logReloads(ctx) })
	forever := load.Phase{Name: "on", Duration: 24 * time.Hour, Rate: 4, To: 34, Shape: load.Sine, Period: o.scaled(2 * time.Minute)}
	generator, err := load.New(load.Options{URL: st.url, Phases: []load.Phase{forever}, Seed: o.Seed + 1, Body: imageBody(images)})
	if err != nil {
		s.printf("  %s", s.alarm(err.Error()))
		return
	}
	if _, err := generator.Run(ctx); err != nil && ctx.Err() == nil {
		s.printf("  %s", s.alarm(err.Error()))
	}
	<-ctx.Done()
}

// logReloads prints when an edit took effect; refused edits are in the log.
func (st *autoscaleStage) logReloads(ctx context.Context) {
	revision, manifests := st.system.Policies.Status().Revision, st.system.ReloadStatus().Successes
	for waitUntil(ctx, time.Now().Add(200*time.Millisecond)) {
		if now := st.system.Policies.Status().Revision; now != revision {
			revision = now
			st.screen.printf("  %s  policies %s are live", st.screen.clock(time.Now()), now)
		}
		if now := st.system.ReloadStatus().Successes; now != manifests {
			manifests = now
			st.screen.printf("  %s  manifests taken up", st.screen.clock(time.Now()))
		}
	}
}

func (st *autoscaleStage) close() error {
	var errs []error
	st.stop()
	if st.system != nil {
		errs = append(errs, st.system.Stop(context.Background()))
	}
	if st.api != nil {
		errs = append(errs, st.api.Close())
	}
	st.tasks.Wait()
	if st.prom != nil {
		errs = append(errs, st.prom.Close())
	}
	return errors.Join(errs...)
}

package demo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/load"
)

// killAfter is the share of the phase noon after which a replica is killed.
const killAfter = 0.4

// day is a run of both layers.
type day struct {
	*debugStage
	plan   []load.Phase
	drifts []DayDrift
	rounds retrainings
	kill   Kill
	result *load.Result
	began  time.Time
}

// Day runs both layers at once: digits drift under a load that varies like over a day. The
// agents of the application layer retrain, promote and roll out, while the infrastructure
// layer's agent scales the same Deployment and one of its replicas is killed.
func Day(ctx context.Context, o Options) (report *DayReport, err error) {
	err = runDebugScenario(ctx, &o, "day", func(st *debugStage) error {
		d := &day{debugStage: st, plan: dayPhases(&o)}
		d.rounds.stage, d.drifts = st, dayDrifts(&o, d.plan)
		if err := d.run(ctx); err != nil {
			return err
		}
		r, err := d.report(ctx)
		if err != nil {
			return err
		}
		report = r
		st.screen.printf("\n%s", r.text(d))
		return o.savePlot(st.screen, r.chart(d))
	})
	return report, err
}

// run sends the day's load, and kills a replica.
func (d *day) run(ctx context.Context) error {
	s, digits := d.screen, &dayDigits{d.parts.Stream, d.drifts}
	generator, err := load.New(load.Options{URL: d.url, Phases: d.plan, Seed: d.o.Seed, Body: digits.body, Header: digits.header})
	if err != nil {
		return err
	}
	s.printf("\n%s", s.title("A day: tracker, checker, planner and executor keep the model right, scaler keeps the size right"))
	dayCtx, over := context.WithCancel(ctx)
	defer over()
	d.began = time.Now()
	s.setStart(d.began)
	d.records.restart(d.began)
	d.watchAccuracy(dayCtx)
	var following sync.WaitGroup
	var followed, killed error
	following.Go(func() { followed = d.rounds.follow(dayCtx, func() bool { return false }) })
	following.Go(func() {
		noonAt := phaseStart(d.plan, noon) + time.Duration(killAfter*float64(d.plan[noon].Duration))
		if waitUntil(dayCtx, d.began.Add(noonAt)) {
			killed = killReplica(dayCtx, d.testbed, &d.kill)
		}
	})
	following.Go(func() { d.logPhases(dayCtx) })
	d.result, err = generator.Run(ctx)
	over()
	following.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(err, followed, killed)
}

// logPhases prints the beginning of each phase and drift.
func (d *day) logPhases(ctx context.Context) {
	s := d.screen
	for i, p := range d.plan {
		at := d.began.Add(phaseStart(d.plan, i))
		if !waitUntil(ctx, at) {
			return
		}
		s.printf("  %s  %s", s.clock(at), s.title("load: "+describePhase(p)+fmt.Sprintf(" of %d digits", imagesPerRequest)))
		for _, drift := range d.drifts {
			if drift.at == phaseStart(d.plan, i) {
				s.printf("  %s  %s", s.clock(at), s.title("drift: "+drift.Mix))
			}
		}
	}
}

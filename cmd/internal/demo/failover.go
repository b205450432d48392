package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/load"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
)

const (
	// failoverRate is the number of images per second, well within the capacity of three
	// replicas of the primary.
	failoverRate = 4.5
	// failoverInterval is the interval of the agents.
	failoverInterval = 2 * time.Second
)

// failoverPlan has the times of the events since the load began.
type failoverPlan struct {
	outage, back, flap, calm, end time.Duration
	down, up                      time.Duration // of each cycle while the primary flaps
}

func newFailoverPlan(o *Options) failoverPlan {
	at := func(s float64) time.Duration { return o.scaled(time.Duration(s * float64(time.Second))) }
	return failoverPlan{outage: at(30), back: at(75), flap: at(165), calm: at(221), end: at(330), down: at(4), up: at(10)}
}

// outage controls the primary: while the file exists, its replicas exit immediately and do not
// start.
type outage struct{ file string }

func (f outage) begin() error { return os.WriteFile(f.file, []byte("down\n"), 0o644) }
func (f outage) end() error   { return os.Remove(f.file) }

// Failover runs S4: the primary fails, and comes back; then it flaps.
func Failover(ctx context.Context, o Options) (report *FailoverReport, err error) {
	s := &screen{out: o.Out, color: plot.Colorful(o.Out, os.Getenv)}
	tidy, err := o.prepare(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, tidy()) }()
	drill := outage{filepath.Join(o.Dir, "outage")}
	s.printf("%s", s.title("An image classifier, a lighter backup model, and two agents"))
	tb, err := openTestbed(ctx, &o, s, failoverStudy(&o, drill), o.Dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, tb.close(ctx)) }()
	plan := newFailoverPlan(&o)
	planCtx, over := context.WithCancel(ctx)
	var tasks sync.WaitGroup
	var played error
	started := make(chan time.Time, 1)
	tasks.Go(func() { played = plan.run(planCtx, s, drill, started) })
	result, err := tb.runLoad(ctx, []load.Phase{{Name: "steady", Duration: plan.end, Rate: failoverRate}}, started)
	over()
	tasks.Wait()
	if err := errors.Join(err, played); err != nil {
		return nil, err
	}
	if report, err = newFailoverReport(ctx, &o, tb, plan, result); err != nil {
		return nil, err
	}
	s.printf("\n%s", report.text(&o, s))
	return report, o.savePlot(s, report.chart(&o, s))
}

func failoverStudy(o *Options, drill outage) *study {
	return &study{
		name: "failover", services: []string{"primary", "backup"}, route: "classifier", pace: studyPace(o),
		fill: func(raw []byte) []byte {
			return []byte(strings.Replace(string(raw), `{name: OUTAGE, value: ""}`, fmt.Sprintf("{name: OUTAGE, value: %q}", drill.file), 1))
		},
	}
}

// run executes the plan.
func (p failoverPlan) run(ctx context.Context, s *screen, drill outage, started <-chan time.Time) error {
	var start time.Time
	select {
	case start = <-started:
	case <-ctx.Done():
		return nil
	}
	type step struct {
		at   time.Duration
		text string
		do   func() error
	}
	steps := []step{
		{p.outage, "every replica of the primary is killed, and kept down", drill.begin},
		{p.back, "the primary may come up again", drill.end},
	}
	for at, n := p.flap, 0; at < p.calm; at, n = at+p.down+p.up, n+1 {
		text := ""
		if n == 0 {
			text = fmt.Sprintf("the primary flaps: %s down, %s up, and so on", p.down, p.up)
		}
		steps = append(steps, step{at, text, drill.begin}, step{at + p.down, "", drill.end})
	}
	steps = append(steps, step{p.calm, "the primary stays up from here on", func() error { return nil }})
	for _, st := range steps {
		if !waitUntil(ctx, start.Add(st.at)) {
			return nil
		}
		if st.text != "" {
			s.printf("  %s  %s", s.clock(time.Now()), s.title(st.text))
		}
		if err := st.do(); err != nil {
			return err
		}
	}
	return nil
}

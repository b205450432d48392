package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/load"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
)

// mlperfBound is the p99 latency that the inference service promises: about four times the
// service time of a request that does not wait.
const mlperfBound = 1200 * time.Millisecond

// mlperfPhases is the load, in multiples of one replica's capacity: that of the published
// system (a step from 2 to 4 requests per second with a capacity of 2, then a swing between
// 2.2 and 4.9), bursts, and a fall.
func mlperfPhases(o *Options, each float64) []load.Phase {
	phases := []load.Phase{
		{Name: "quiet", Duration: o.scaled(60 * time.Second), Rate: 0.7 * each},
		{Name: "step", Duration: o.scaled(90 * time.Second), Rate: 2 * each},
		{Name: "swing", Duration: o.scaled(120 * time.Second), Rate: 1.1 * each, To: 2.45 * each, Shape: load.Sine, Period: o.scaled(40 * time.Second)},
		{Name: "bursts", Duration: o.scaled(120 * time.Second), Rate: 1.2 * each, To: 4 * each, Shape: load.Square, Period: o.scaled(40 * time.Second)},
		{Name: "fall", Duration: o.scaled(90 * time.Second), Rate: 0.4 * each},
	}
	for i := range phases {
		phases[i].Rate, phases[i].To = round(phases[i].Rate), round(phases[i].To)
	}
	return phases
}

// MLPerf runs S2 under an MLPerf Server load: the same arrivals twice, on the same processes,
// scaled by our agent and by the HorizontalPodAutoscaler's algorithm; on a cluster, by its
// controller.
func MLPerf(ctx context.Context, o Options) (report *MLPerfReport, err error) {
	s := &screen{out: o.Out, color: plot.Colorful(o.Out, os.Getenv)}
	tidy, err := o.prepare(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, tidy()) }()
	report = newMLPerfReport(&o)
	s.printf("%s", s.title("What one replica carries"))
	each, err := measureCapacity(ctx, &o, s, mlperfStudy(&o, 1, scaledByHPA))
	if err != nil {
		return nil, err
	}
	report.Capacity = round(each)
	for _, scaler := range []string{scaledByAgent, o.otherScaler()} {
		run, err := mlperfRun(ctx, &o, s, scaler, each)
		if err != nil {
			return nil, err
		}
		report.Runs = append(report.Runs, run)
	}
	report.judge()
	s.printf("\n%s", report.text(&o, s))
	return report, o.savePlot(s, report.chart(&o, s))
}

func mlperfStudy(o *Options, each float64, scaler string) *study {
	return &study{
		name: "mlperf", services: []string{"classifier"}, route: "classifier", pace: studyPace(o), paused: scaler != scaledByAgent,
		fill: func(raw []byte) []byte {
			return setParam(raw, "requests_per_second_per_replica", fmt.Sprintf("%.2f", each))
		},
	}
}

// mlperfRun runs the load once.
func mlperfRun(ctx context.Context, o *Options, s *screen, scaler string, each float64) (_ *MLPerfRun, err error) {
	s.printf("\n%s", s.title(map[string]string{scaledByAgent: "The agent planner at work", scaledByHPA: "The HorizontalPodAutoscaler's formula at work, on the same arrivals", scaledByController: "The HorizontalPodAutoscaler controller at work, on the same arrivals"}[scaler]))
	tb, err := openTestbed(ctx, o, s, mlperfStudy(o, each, scaler), filepath.Join(o.Dir, scaler))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, tb.close(ctx)) }()
	if scaler != scaledByAgent {
		if err := tb.platform.scaleByHPA(ctx, tb, "classifier", each); err != nil {
			return nil, err
		}
	}
	cost := tb.startCost("classifier")
	result, err := tb.runLoad(ctx, mlperfPhases(o, each))
	if err != nil {
		return nil, err
	}
	run := newMLPerfRun(tb, scaler, mlperfPhases(o, each), result)
	run.Cost, err = cost(ctx)
	return run, err
}

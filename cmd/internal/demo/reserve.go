package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/load"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
)

const (
	// reserveNotice is the time between the announcement of the rise and the load.
	reserveNotice = 10 * time.Second
	// reservedReplicas is the min in the agent's time window, enough for the rise.
	reservedReplicas = 4
	// baseReplicas is the min at other times.
	baseReplicas = 1
)

// reservePhases is a rise at a known time and the following fall, in multiples of one
// replica's capacity. By the autoscaler's target the rise needs four replicas.
func reservePhases(o *Options, each float64) []load.Phase {
	return []load.Phase{
		{Name: "quiet", Duration: o.scaled(60 * time.Second), Rate: 0.5 * each},
		{Name: "rise", Duration: o.scaled(90 * time.Second), Rate: 2.5 * each},
		{Name: "fall", Duration: o.scaled(100 * time.Second), Rate: 0.5 * each},
	}
}

// Reserve runs S2 with a HorizontalPodAutoscaler that owns the replicas: the same arrivals
// twice, with the autoscaler alone, and with an agent that raises its bounds before the rise.
// The cluster's own controller scales in both runs.
func Reserve(ctx context.Context, o Options) (report *ReserveReport, err error) {
	s := &screen{out: o.Out, color: plot.Colorful(o.Out, os.Getenv)}
	tidy, err := o.prepare(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, tidy()) }()
	s.printf("%s", s.title("What one replica carries"))
	each, err := measureCapacity(ctx, &o, s, reserveStudy(1))
	if err != nil {
		return nil, err
	}
	report = newReserveReport(&o, each)
	for _, scaler := range []string{scaledByController, scaledByBoth} {
		run, err := reserveRun(ctx, &o, s, scaler, each)
		if err != nil {
			return nil, err
		}
		report.Runs = append(report.Runs, run)
	}
	report.judge()
	s.printf("\n%s", report.text(&o, s))
	return report, o.savePlot(s, report.chart(&o, s))
}

// reserveStudy pauses the agent, with a time window in the past, until the rise is announced.
func reserveStudy(each float64) *study {
	return &study{
		name: "reserve", services: []string{"classifier"}, route: "classifier", pace: pace{by: 1}, paused: true,
		fill: func(raw []byte) []byte {
			now := time.Now()
			return setWindow(setParam(raw, "averageValue", fmt.Sprintf("%q", hpaAverageValue(each))), now.Add(-time.Hour), now.Add(-time.Minute))
		},
	}
}

// setWindow sets the time window in the agent's manifest.
func setWindow(raw []byte, from, until time.Time) []byte {
	at := func(t time.Time) string { return fmt.Sprintf("%q", t.UTC().Format(time.TimeOnly)) }
	return setParam(setParam(raw, "- from", at(from)), "until", at(until))
}

// reserveRun runs the load once.
func reserveRun(ctx context.Context, o *Options, s *screen, scaler string, each float64) (_ *ReserveRun, err error) {
	s.printf("\n%s", s.title(map[string]string{scaledByController: "The HorizontalPodAutoscaler alone", scaledByBoth: "The HorizontalPodAutoscaler, and the agent reserve at its bounds, on the same arrivals"}[scaler]))
	r, err := openReserve(ctx, o, s, reserveStudy(each), filepath.Join(o.Dir, map[string]string{scaledByController: "alone", scaledByBoth: "reserved"}[scaler]))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.tb.close(ctx)) }()
	phases := reservePhases(o, each)
	begin := time.Now().Truncate(time.Second).Add(reserveNotice)
	if scaler == scaledByBoth {
		rise := begin.Add(phases[0].Duration)
		if err := r.announceRise(ctx, rise, rise.Add(phases[1].Duration)); err != nil {
			return nil, err
		}
	}
	if !waitUntil(ctx, begin) {
		return nil, ctx.Err()
	}
	result, err := r.tb.runLoad(ctx, phases)
	if err != nil {
		return nil, err
	}
	return r.newRun(ctx, scaler, phases, result)
}

// reserveBed is the testbed with the histories of the fields in question.
type reserveBed struct {
	tb          *testbed
	cluster     *clusterPlatform
	replicas    *fieldHistory // spec.replicas of the Deployment
	minReplicas *fieldHistory // spec.minReplicas of the autoscaler
}

func openReserve(ctx context.Context, o *Options, s *screen, about *study, dir string) (_ *reserveBed, err error) {
	tb, err := openTestbed(ctx, o, s, about, dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tb.close(ctx))
		}
	}()
	cluster, is := tb.platform.(*clusterPlatform)
	if !is {
		return nil, errors.New("a HorizontalPodAutoscaler's controller is part of a cluster")
	}
	r := &reserveBed{
		tb: tb, cluster: cluster, replicas: cluster.replicasField("classifier"),
		minReplicas: &fieldHistory{apiVersion: "autoscaling/v2", kind: "HorizontalPodAutoscaler", namespace: about.name, name: "classifier", path: []string{"spec", "minReplicas"}},
	}
	cluster.watchField(ctx, tb, r.replicas)
	cluster.watchField(ctx, tb, r.minReplicas)
	if err := cluster.initReplicas(ctx, "classifier"); err != nil {
		return nil, err
	}
	return r, cluster.servePodMetric(ctx, tb, "classifier")
}

// announceRise enables the agent, with the times of the rise in its manifest.
func (r *reserveBed) announceRise(ctx context.Context, from, until time.Time) error {
	file := filepath.Join(r.tb.files.agents, "reserve.yaml")
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	raw = bytes.ReplaceAll(setWindow(raw, from, until), []byte("mode: paused"), []byte("mode: enforce"))
	if err := os.WriteFile(file, raw, 0o644); err != nil {
		return err
	}
	r.tb.screen.printf("  the rise is announced for %s to %s UTC", from.UTC().Format(time.TimeOnly), until.UTC().Format(time.TimeOnly))
	return r.cluster.applyFolder(ctx, r.tb.files.agents)
}

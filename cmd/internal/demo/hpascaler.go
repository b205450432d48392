package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/common/model"

	"github.com/scanflow-k8s/scanflow/cmd/internal/hpa"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine"
)

const (
	// hpaSync is the controller manager's default, hpaWindow the stabilisation on the
	// way down; its default, 300 s, would keep every replica of these minutes.
	hpaSync   = 15 * time.Second
	hpaWindow = 60 * time.Second
	// hpaRate is the range of the pods' requests per second.
	hpaRate = 30 * time.Second
	// targetShare is how much of what a replica carries is used before there are more: of
	// either scaler. The agent's manifest has it too.
	targetShare = 0.7
	// leastRate is four scrapes.
	leastRate = 4 * scrapeEvery
)

// scaleByHPA has the HorizontalPodAutoscaler's formula set the replicas of a service, once
// a run. At a speed above 1 the formula's clock goes faster, as everything else does.
func (l *laptop) scaleByHPA(ctx context.Context, tb *testbed, service string, each float64) error {
	window := hpaWindow
	scaler, err := hpa.New(hpa.Spec{Min: 1, Max: mostReplicas, TargetMilli: int64(1000 * targetShare * each), Behavior: &hpa.Behavior{ScaleDown: hpa.Rules{Window: &window}}})
	if err != nil {
		return err
	}
	ctx, l.endFormula = context.WithCancel(ctx)
	tb.tasks.Go(func() { tb.followFormula(ctx, scaler, service) })
	return nil
}

// followFormula does what the formula says, until the context ends.
func (tb *testbed) followFormula(ctx context.Context, scaler *hpa.Autoscaler, service string) {
	s, id := tb.screen, tb.study.id(service)
	query := tb.podRate(service)
	began := time.Now()
	for at := began; waitUntil(ctx, at); at = at.Add(tb.o.scaled(hpaSync)) {
		w, _ := tb.platform.orchestrator().Workload(id)
		rates, err := tb.prom.Query(ctx, query, time.Now())
		if err != nil && ctx.Err() == nil {
			s.printf("  %s  %s", s.clock(time.Now()), s.alarm(err.Error()))
			continue
		}
		milli := map[string]int64{}
		for _, r := range rates {
			milli[r.Labels["pod"]] = int64(1000 * r.Value)
		}
		var pods []hpa.Pod
		for _, p := range w.Pods {
			v, measured := milli[p.Name]
			pods = append(pods, hpa.Pod{Phase: phaseOf(p), Measured: measured, Milli: v})
		}
		now := began.Add(time.Duration(float64(time.Since(began)) * tb.o.Speed))
		d := scaler.Sync(now, w.Desired, pods)
		if d.Desired == w.Desired {
			continue
		}
		s.printf("  %s  %s  %s per pod: %s %s", s.clock(time.Now()), id.String(), number(float64(d.MeanMilli)/1000), s.good(fmt.Sprintf("replicas %d -> %d", w.Desired, d.Desired)), s.dim("("+string(d.Reason)+")"))
		if err := tb.platform.scale(ctx, id, d.Desired); err != nil && ctx.Err() == nil {
			s.printf("  %s  %s", s.clock(time.Now()), s.alarm(plot.Line(err.Error())))
		}
	}
}

// podRate is the query of the requests per second of a service's pods.
func (tb *testbed) podRate(service string) string {
	span := max(tb.o.scaled(hpaRate), leastRate).Round(time.Millisecond)
	return fmt.Sprintf(`sum by (namespace, pod) (rate(http_requests_total{namespace=%q,deployment=%q,path="/predict"}[%s]))`, tb.study.name, service, model.Duration(span))
}

func phaseOf(p engine.Pod) hpa.Phase {
	if p.Ready {
		return hpa.Running
	}
	return hpa.Pending
}

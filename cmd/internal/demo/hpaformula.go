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
	// hpaSync is the sync period of the HorizontalPodAutoscaler controller by default.
	// hpaWindow is the stabilization window for scaling down. The default, 300 s, would keep
	// all replicas until the end of the demo.
	hpaSync   = 15 * time.Second
	hpaWindow = 60 * time.Second
	// hpaRate is the range of the rate of the pods' requests.
	hpaRate = 30 * time.Second
	// targetShare is the utilization of a replica that both scalers aim at. The agent's
	// manifest has the same value.
	targetShare = 0.7
	// minRateWindow is four scrapes.
	minRateWindow = 4 * scrapeEvery
)

// scaleByHPA scales a service with the algorithm of the HorizontalPodAutoscaler, once a run.
// At a speed above 1 the algorithm's clock is faster, like everything else.
func (l *laptopPlatform) scaleByHPA(ctx context.Context, tb *testbed, service string, each float64) error {
	window := hpaWindow
	scaler, err := hpa.New(hpa.Spec{Min: 1, Max: maxReplicas, TargetMilli: int64(1000 * targetShare * each), Behavior: &hpa.Behavior{ScaleDown: hpa.Rules{Window: &window}}})
	if err != nil {
		return err
	}
	ctx, l.stopHPAFormula = context.WithCancel(ctx)
	tb.tasks.Go(func() { tb.runHPAFormula(ctx, scaler, service) })
	return nil
}

// runHPAFormula syncs the replicas with the algorithm until the context ends.
func (tb *testbed) runHPAFormula(ctx context.Context, scaler *hpa.Autoscaler, service string) {
	s, id := tb.screen, tb.study.id(service)
	query := tb.podRateQuery(service)
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

// podRateQuery is the query for the requests per second of a service's pods.
func (tb *testbed) podRateQuery(service string) string {
	span := max(tb.o.scaled(hpaRate), minRateWindow).Round(time.Millisecond)
	return fmt.Sprintf(`sum by (namespace, pod) (rate(http_requests_total{namespace=%q,deployment=%q,path="/predict"}[%s]))`, tb.study.name, service, model.Duration(span))
}

func phaseOf(p engine.Pod) hpa.Phase {
	if p.Ready {
		return hpa.Running
	}
	return hpa.Pending
}

package demo

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/load"
	"github.com/scanflow-k8s/scanflow/engine"
)

// Kill is the kill of a replica.
type Kill struct {
	AtSeconds float64 `json:"at_s"`
	Pod       string  `json:"pod"`
	podDeath
	// Ready is the number of ready replicas just before.
	Ready int `json:"ready_before"`
	// NoticedSeconds is the time from the kill until the replica was no longer counted as ready,
	// and BackSeconds until enough replicas were ready again; nil for never.
	NoticedSeconds *float64 `json:"noticed_s"`
	BackSeconds    *float64 `json:"back_s"`

	at, noticed time.Time
}

// killPollInterval is the interval of checking the replicas after a kill.
const killPollInterval = 10 * time.Millisecond

// killReplica kills the first ready pod, and waits until enough replicas are ready again.
func killReplica(ctx context.Context, tb *testbed, k *Kill) error {
	s := tb.screen
	before, _ := tb.platform.orchestrator().Workload(predictor)
	i := slices.IndexFunc(before.Pods, func(p engine.Pod) bool { return p.Ready })
	if i < 0 {
		return errors.New("no replica is ready that could be killed")
	}
	k.Pod, k.Ready, k.at = before.Pods[i].Name, readyPods(before), time.Now()
	k.AtSeconds = seconds(k.at.Sub(s.startTime()))
	var err error
	if k.podDeath, err = tb.platform.kill(ctx, predictor.Namespace, before.Pods[i]); err != nil {
		return err
	}
	s.printf("  %s  %s", s.clock(k.at), s.alarm("replica "+k.Pod+" dies: "+k.How))
	restarts := before.Pods[i].Restarts
	for {
		w, _ := tb.platform.orchestrator().Workload(predictor)
		took := seconds(time.Since(k.at))
		at := slices.IndexFunc(w.Pods, func(p engine.Pod) bool { return p.Name == k.Pod })
		died := at < 0 || w.Pods[at].Restarts > restarts || !w.Pods[at].Ready
		if died && k.NoticedSeconds == nil {
			k.NoticedSeconds, k.noticed = &took, time.Now()
		}
		if died && (at < 0 || w.Pods[at].Restarts > restarts) && readyPods(w) >= min(k.Ready, w.Desired) {
			k.BackSeconds = &took
			s.printf("  %s  %s", s.clock(time.Now()), s.good("the replica that died is back"))
			return nil
		}
		if !waitUntil(ctx, time.Now().Add(killPollInterval)) {
			return nil
		}
	}
}

// readyPods counts the ready pods. The status of a Deployment on a cluster lags behind.
func readyPods(w engine.Workload) (n int) {
	for _, p := range w.Pods {
		if p.Ready {
			n++
		}
	}
	return n
}

// Requests counts the day's requests.
type Requests struct {
	Sent int `json:"sent"`
	// Lost is the number of failed requests. LostToKill counts those of them that were in
	// flight while the killed replica still counted as ready.
	Lost       int `json:"lost"`
	LostToKill int `json:"lost_to_kill"`
	// LagMS is the maximum delay of the load generator; it is included in the latencies.
	LagMS float64 `json:"generator_lag_ms"`
}

// countRequests counts the requests from the failures. The load began at a time.
func countRequests(sent int, failures []load.Failure, began time.Time, k *Kill) Requests {
	r := Requests{Sent: sent, Lost: len(failures)}
	for _, f := range failures {
		if k.NoticedSeconds == nil {
			continue
		}
		if due := began.Add(f.At); !due.After(k.noticed) && !due.Add(f.Latency).Before(k.at) {
			r.LostToKill++
		}
	}
	return r
}

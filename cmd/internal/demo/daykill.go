package demo

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/load"
	"github.com/scanflow-k8s/scanflow/engine"
)

// Kill is the death of a replica.
type Kill struct {
	AtSeconds float64 `json:"at_s"`
	Pod       string  `json:"pod"`
	death
	// Ready is how many replicas were ready just before.
	Ready int `json:"ready_before"`
	// NoticedSeconds is when it was no longer taken for ready, and BackSeconds when as many
	// replicas were ready as were wanted, both since it died; nil for never.
	NoticedSeconds *float64 `json:"noticed_s"`
	BackSeconds    *float64 `json:"back_s"`

	at, noticed time.Time
}

// noticeEvery is how often it is looked whether a death was noticed.
const noticeEvery = 10 * time.Millisecond

// killReplica has the first ready pod die, and watches until it is back.
func killReplica(ctx context.Context, tb *testbed, k *Kill) error {
	s := tb.screen
	before, _ := tb.platform.orchestrator().Workload(predictor)
	i := slices.IndexFunc(before.Pods, func(p engine.Pod) bool { return p.Ready })
	if i < 0 {
		return errors.New("no replica is ready that could be killed")
	}
	k.Pod, k.Ready, k.at = before.Pods[i].Name, readyPods(before), time.Now()
	k.AtSeconds = seconds(k.at.Sub(s.began()))
	var err error
	if k.death, err = tb.platform.kill(ctx, predictor.Namespace, before.Pods[i]); err != nil {
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
		if !waitUntil(ctx, time.Now().Add(noticeEvery)) {
			return nil
		}
	}
}

// readyPods counts the pods that are ready. What a Deployment says of itself on a cluster
// is of a moment before.
func readyPods(w engine.Workload) (n int) {
	for _, p := range w.Pods {
		if p.Ready {
			n++
		}
	}
	return n
}

// Requests counts how the day's requests ended.
type Requests struct {
	Sent int `json:"sent"`
	// Lost got no answer, or none as it should be; LostToKill are those of them that were
	// under way while the dead replica was still taken for alive.
	Lost       int `json:"lost"`
	LostToKill int `json:"lost_to_kill"`
	// LagMS is how late the generator itself was at the worst; it is in the latencies.
	LagMS float64 `json:"generator_lag_ms"`
}

// requestsOf counts them, from what was not answered. The load began at a time.
func requestsOf(sent int, failures []load.Failure, began time.Time, k *Kill) Requests {
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

package pod

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/scanflow-k8s/scanflow/engine"
)

type probeKind int

const (
	startup probeKind = iota
	readiness
	liveness
)

func (k probeKind) String() string { return [...]string{"startup", "readiness", "liveness"}[k] }

// probeResult is a change of a probe's result that has passed its threshold.
type probeResult struct {
	kind probeKind
	good bool
	err  error
}

// threshold counts equal results in a row against the probe's successThreshold and
// failureThreshold.
type threshold struct {
	success, failure int
	streak           int
	last             bool
}

// add counts a result, and reports whether the threshold is reached.
func (t *threshold) add(good bool) (settled bool) {
	if t.streak == 0 || good != t.last {
		t.streak, t.last = 0, good
	}
	t.streak++
	if good {
		return t.streak >= t.success
	}
	return t.streak >= t.failure
}

// prober runs one probe against one run of the process.
type prober struct {
	pod     *Pod
	kind    probeKind
	spec    *corev1.Probe
	check   func(context.Context) error
	results chan<- probeResult
}

// startProbes starts the probes of one run: the startup probe first, the others once it
// has succeeded. Without a readiness probe a pod is ready once it has started.
func (p *Pod) startProbes(ctx context.Context, group *sync.WaitGroup) <-chan probeResult {
	c := &p.cfg.Spec.Containers[0]
	out := make(chan probeResult)
	startProbe := func(kind probeKind, spec *corev1.Probe) {
		pr := &prober{pod: p, kind: kind, spec: spec, check: p.probeCheck(&spec.ProbeHandler), results: out}
		pr.run(ctx)
	}
	group.Go(func() {
		if c.StartupProbe != nil {
			startProbe(startup, c.StartupProbe)
			if ctx.Err() != nil {
				return
			}
		}
		if c.LivenessProbe != nil {
			group.Go(func() { startProbe(liveness, c.LivenessProbe) })
		}
		if c.ReadinessProbe != nil {
			startProbe(readiness, c.ReadinessProbe)
			return
		}
		select {
		case out <- probeResult{kind: readiness, good: true}:
		case <-ctx.Done():
		}
	})
	return out
}

// run probes until ctx ends, or until a startup probe has succeeded.
func (pr *prober) run(ctx context.Context) {
	period := secondsOr(pr.spec.PeriodSeconds, 10)
	early := period
	if e := pr.pod.cfg.InitialProbePeriod; e > 0 && pr.kind != liveness {
		early = min(e, period)
	}
	count := threshold{success: positiveOr(pr.spec.SuccessThreshold, 1), failure: positiveOr(pr.spec.FailureThreshold, 3)}
	clock := pr.pod.cfg.Clock
	wait := time.Duration(pr.spec.InitialDelaySeconds) * time.Second
	var lastCounted time.Time
	reported, reportedGood, succeeded := false, false, false
	for {
		if wait > 0 && !engine.Sleep(ctx, clock, wait) {
			return
		}
		err := pr.probe(ctx)
		if ctx.Err() != nil {
			return
		}
		good := err == nil
		succeeded = succeeded || good
		if wait = period; !succeeded {
			wait = early
			if !lastCounted.IsZero() && clock.Now().Sub(lastCounted) < period {
				continue
			}
		}
		lastCounted = clock.Now()
		if !count.add(good) || reported && good == reportedGood {
			continue
		}
		reported, reportedGood = true, good
		select {
		case pr.results <- probeResult{pr.kind, good, err}:
		case <-ctx.Done():
			return
		}
		if pr.kind == startup && good {
			return
		}
	}
}

func (pr *prober) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, secondsOr(pr.spec.TimeoutSeconds, 1))
	defer cancel()
	return pr.check(ctx)
}

// handleProbeResult updates the status, and returns false if the process must be
// terminated.
func (p *Pod) handleProbeResult(v probeResult) bool {
	switch {
	case v.kind == readiness:
		p.update(func(s *Status) {
			s.Ready, s.Message = v.good, ""
			if v.err != nil {
				s.Message = "readiness probe: " + v.err.Error()
			}
		})
	case !v.good:
		p.cfg.Log.Warn("probe failed; the process is ended and restarted", "pod", p.cfg.Name, "probe", v.kind.String(), "error", v.err)
		p.update(func(s *Status) { s.Message = v.kind.String() + " probe: " + v.err.Error() })
		return false
	case v.kind == startup:
		p.update(func(s *Status) { s.Started = true })
	}
	return true
}

func secondsOr(v int32, fallback int) time.Duration {
	return time.Duration(positiveOr(v, fallback)) * time.Second
}

func positiveOr(v int32, fallback int) int {
	if v <= 0 {
		return fallback
	}
	return int(v)
}

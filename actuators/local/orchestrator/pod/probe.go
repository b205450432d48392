package pod

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
)

type probeKind int

const (
	startup probeKind = iota
	readiness
	liveness
)

func (k probeKind) String() string { return [...]string{"startup", "readiness", "liveness"}[k] }

// verdict is what a probe has come to think.
type verdict struct {
	kind probeKind
	good bool
	err  error
}

// threshold turns single answers into a verdict: as many alike in a row as the
// probe asks for.
type threshold struct {
	success, failure int
	run              int
	last             bool
}

// observe takes one answer; settled says whether there were enough like it.
func (t *threshold) observe(good bool) (settled bool) {
	if t.run == 0 || good != t.last {
		t.run, t.last = 0, good
	}
	t.run++
	if good {
		return t.run >= t.success
	}
	return t.run >= t.failure
}

// prober asks one probe of one run of the process.
type prober struct {
	pod   *Pod
	kind  probeKind
	spec  *corev1.Probe
	check func(context.Context) error
	out   chan<- verdict
}

// startProbes begins the probes of one run: the startup probe first, the others
// when it has succeeded. Without a readiness probe a pod is ready once started.
func (p *Pod) startProbes(ctx context.Context, group *sync.WaitGroup) <-chan verdict {
	c := &p.cfg.Spec.Containers[0]
	out := make(chan verdict)
	ask := func(kind probeKind, spec *corev1.Probe) {
		pr := &prober{pod: p, kind: kind, spec: spec, check: p.checkOf(&spec.ProbeHandler), out: out}
		pr.run(ctx)
	}
	group.Go(func() {
		if c.StartupProbe != nil {
			ask(startup, c.StartupProbe)
			if ctx.Err() != nil {
				return
			}
		}
		if c.LivenessProbe != nil {
			group.Go(func() { ask(liveness, c.LivenessProbe) })
		}
		if c.ReadinessProbe != nil {
			ask(readiness, c.ReadinessProbe)
			return
		}
		select {
		case out <- verdict{kind: readiness, good: true}:
		case <-ctx.Done():
		}
	})
	return out
}

// run asks until ctx ends; a startup probe until it first succeeds.
func (pr *prober) run(ctx context.Context) {
	period := seconds(pr.spec.PeriodSeconds, 10)
	early := period
	if e := pr.pod.cfg.EarlyProbe; e > 0 && pr.kind != liveness {
		early = min(e, period)
	}
	count := threshold{success: positive(pr.spec.SuccessThreshold, 1), failure: positive(pr.spec.FailureThreshold, 3)}
	clock := pr.pod.cfg.Clock
	wait := time.Duration(pr.spec.InitialDelaySeconds) * time.Second
	var lastCounted time.Time
	told, toldGood, everGood := false, false, false
	for {
		if !sleep(ctx, pr.pod, wait) {
			return
		}
		err := pr.once(ctx)
		if ctx.Err() != nil {
			return
		}
		good := err == nil
		everGood = everGood || good
		if wait = period; !everGood {
			wait = early
			if !lastCounted.IsZero() && clock.Now().Sub(lastCounted) < period {
				continue
			}
		}
		lastCounted = clock.Now()
		if !count.observe(good) || told && good == toldGood {
			continue
		}
		told, toldGood = true, good
		select {
		case pr.out <- verdict{pr.kind, good, err}:
		case <-ctx.Done():
			return
		}
		if pr.kind == startup && good {
			return
		}
	}
}

func (pr *prober) once(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, seconds(pr.spec.TimeoutSeconds, 1))
	defer cancel()
	return pr.check(ctx)
}

// apply acts on a verdict; false means that the process must be ended.
func (p *Pod) apply(v verdict) bool {
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

func sleep(ctx context.Context, p *Pod, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer, giveBack := p.cfg.Clock.Timer(d)
	defer giveBack()
	select {
	case <-timer:
		return true
	case <-ctx.Done():
		return false
	}
}

func seconds(v int32, otherwise int) time.Duration {
	return time.Duration(positive(v, otherwise)) * time.Second
}

func positive(v int32, otherwise int) int {
	if v <= 0 {
		return otherwise
	}
	return int(v)
}

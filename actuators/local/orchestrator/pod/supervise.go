package pod

import (
	"context"
	"sync"
	"syscall"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// killWait bounds the wait for a process after SIGKILL: a process in an uninterruptible
// system call ends only when that call returns.
const killWait = 10 * time.Second

// supervise watches one run of the process until it ends or is detached.
func (p *Pod) supervise(proc *process) (Exit, runResult) {
	defer proc.release()
	ctx, cancel := context.WithCancel(context.Background())
	var probes sync.WaitGroup
	defer probes.Wait()
	defer cancel()
	results := p.startProbes(ctx, &probes)
	for {
		select {
		case exit := <-proc.exited:
			return p.recordExit(exit), exited
		case v := <-results:
			if !p.handleProbeResult(v) {
				exit, end := p.terminate(proc)
				return exit, end
			}
		case <-p.stop:
			exit, end := p.terminate(proc)
			if end == exited {
				end = stopped
			}
			return exit, end
		case <-p.detach:
			return Exit{}, detached
		}
	}
}

// recordExit updates the status after the end of the process.
func (p *Pod) recordExit(exit Exit) Exit {
	exit.At = p.cfg.Clock.Now()
	p.update(func(s *Status) {
		s.Ready, s.Started, s.PID, s.StartID, s.LastExit = false, false, 0, "", &exit
	})
	return exit
}

// terminate ends the process: preStop, SIGTERM, and SIGKILL when the grace period has
// passed or Stop's context has ended. The pod can be detached meanwhile.
func (p *Pod) terminate(proc *process) (Exit, runResult) {
	p.update(func(s *Status) { s.Ready, s.Reason = false, "Stopping" })
	grace := GracePeriod(&p.cfg.Spec)
	started := p.cfg.Clock.Now()
	if hook := p.preStopHook(); hook != nil && grace > 0 {
		p.runPreStop(hook, proc, grace)
		// As in Kubernetes, the process has 2 s left after a hook that used up the grace period.
		grace = max(grace-p.cfg.Clock.Now().Sub(started), 2*time.Second)
	}
	if grace > 0 {
		proc.signal(syscall.SIGTERM)
		timer, stopTimer := p.cfg.Clock.Timer(grace)
		defer stopTimer()
		select {
		case exit := <-proc.exited:
			return p.recordExit(exit), exited
		case <-p.detach:
			return Exit{}, detached
		case <-p.kill:
		case <-timer:
			p.cfg.Log.Warn("process outlived its grace period; killing it", "pod", p.cfg.Name, "pid", proc.pid, "grace", GracePeriod(&p.cfg.Spec))
		}
	}
	proc.signal(syscall.SIGKILL)
	timer, stopTimer := p.cfg.Clock.Timer(killWait)
	defer stopTimer()
	select {
	case exit := <-proc.exited:
		return p.recordExit(exit), exited
	case <-p.detach:
		return Exit{}, detached
	case <-timer:
		p.cfg.Log.Error("killed process does not end", "pod", p.cfg.Name, "pid", proc.pid)
		return p.recordExit(Exit{Code: -1}), exited
	}
}

func (p *Pod) preStopHook() func(context.Context) error {
	c := &p.cfg.Spec.Containers[0]
	if c.Lifecycle == nil || c.Lifecycle.PreStop == nil {
		return nil
	}
	h := c.Lifecycle.PreStop
	switch {
	case h.Exec != nil:
		return p.execCheck(h.Exec)
	case h.HTTPGet != nil:
		return p.httpGetCheck(h.HTTPGet)
	}
	return func(ctx context.Context) error {
		if !engine.Sleep(ctx, p.cfg.Clock, time.Duration(h.Sleep.Seconds)*time.Second) {
			return ctx.Err()
		}
		return nil
	}
}

// runPreStop runs the preStop hook until it returns, the process ends, or the grace
// period has passed.
func (p *Pod) runPreStop(hook func(context.Context) error, proc *process, grace time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	result := make(chan error, 1)
	go func() { result <- hook(ctx) }()
	timer, stopTimer := p.cfg.Clock.Timer(grace)
	defer stopTimer()
	select {
	case err := <-result:
		if err != nil {
			p.cfg.Log.Warn("preStop failed", "pod", p.cfg.Name, "error", err)
		}
		return
	case <-proc.done:
	case <-timer:
	case <-p.kill:
	case <-p.detach:
	}
	cancel()
	if err := <-result; err != nil {
		p.cfg.Log.Debug("preStop was cut short", "pod", p.cfg.Name, "error", err)
	}
}

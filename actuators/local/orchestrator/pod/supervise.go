package pod

import (
	"context"
	"sync"
	"syscall"
	"time"
)

// killWait bounds the wait for a process after SIGKILL: one in an uninterruptible
// call of the kernel ends when that call does, and nobody can hasten it.
const killWait = 10 * time.Second

// supervise follows one run of the process to its end.
func (p *Pod) supervise(proc *process) (Exit, ending) {
	defer proc.release()
	ctx, cancel := context.WithCancel(context.Background())
	var probes sync.WaitGroup
	defer probes.Wait()
	defer cancel()
	verdicts := p.startProbes(ctx, &probes)
	for {
		select {
		case exit := <-proc.exited:
			return p.gone(exit), exited
		case v := <-verdicts:
			if !p.apply(v) {
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

// gone notes that the process ended.
func (p *Pod) gone(exit Exit) Exit {
	exit.At = p.cfg.Clock.Now()
	p.update(func(s *Status) {
		s.Ready, s.Started, s.PID, s.StartID, s.LastExit = false, false, 0, "", &exit
	})
	return exit
}

// terminate ends the process: preStop, SIGTERM, and SIGKILL when the grace period
// has passed or Stop's context has ended. It goes on being detachable.
func (p *Pod) terminate(proc *process) (Exit, ending) {
	p.update(func(s *Status) { s.Ready, s.Reason = false, "Stopping" })
	grace := Grace(&p.cfg.Spec)
	began := p.cfg.Clock.Now()
	if hook := p.preStop(); hook != nil && grace > 0 {
		p.runHook(hook, proc, grace)
		// As in Kubernetes, a hook that ate the whole grace leaves the process 2 s.
		grace = max(grace-p.cfg.Clock.Now().Sub(began), 2*time.Second)
	}
	if grace > 0 {
		proc.signal(syscall.SIGTERM)
		timer, giveBack := p.cfg.Clock.Timer(grace)
		defer giveBack()
		select {
		case exit := <-proc.exited:
			return p.gone(exit), exited
		case <-p.detach:
			return Exit{}, detached
		case <-p.kill:
		case <-timer:
			p.cfg.Log.Warn("process outlived its grace period; killing it", "pod", p.cfg.Name, "pid", proc.pid, "grace", Grace(&p.cfg.Spec))
		}
	}
	proc.signal(syscall.SIGKILL)
	timer, giveBack := p.cfg.Clock.Timer(killWait)
	defer giveBack()
	select {
	case exit := <-proc.exited:
		return p.gone(exit), exited
	case <-p.detach:
		return Exit{}, detached
	case <-timer:
		p.cfg.Log.Error("killed process does not end", "pod", p.cfg.Name, "pid", proc.pid)
		return p.gone(Exit{Code: -1}), exited
	}
}

func (p *Pod) preStop() func(context.Context) error {
	c := &p.cfg.Spec.Containers[0]
	if c.Lifecycle == nil || c.Lifecycle.PreStop == nil {
		return nil
	}
	h := c.Lifecycle.PreStop
	switch {
	case h.Exec != nil:
		return p.execCheck(h.Exec)
	case h.HTTPGet != nil:
		return p.httpCheck(h.HTTPGet)
	}
	return func(ctx context.Context) error {
		timer, giveBack := p.cfg.Clock.Timer(time.Duration(h.Sleep.Seconds) * time.Second)
		defer giveBack()
		select {
		case <-timer:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// runHook runs preStop until it returns, the process ends, or time is up.
func (p *Pod) runHook(hook func(context.Context) error, proc *process, grace time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	result := make(chan error, 1)
	go func() { result <- hook(ctx) }()
	timer, giveBack := p.cfg.Clock.Timer(grace)
	defer giveBack()
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

package pod

import (
	"context"
	"errors"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
)

// Pod is one pod being run. Its methods may be called from anywhere but its own OnChange.
type Pod struct {
	cfg     Config
	backOff backOff

	stop, kill, detach             chan struct{}
	stopOnce, killOnce, detachOnce sync.Once
	done                           chan struct{}
	detached                       bool // written before done is closed

	mu     sync.Mutex
	status Status
}

// Start runs the pod until Stop or Detach. It returns at once; that the command
// can't be started shows in the status. A spec that can't be honoured is an error
// that names every mistake, each a Problem.
func Start(cfg Config) (*Pod, error) { return begin(cfg, nil) }

// Adopt takes over a process that an earlier Pod started. One that has died
// meanwhile is restarted, unless its RestartPolicy is Never: then the pod has ended.
func Adopt(cfg Config, from Resume) (*Pod, error) { return begin(cfg, &from) }

func begin(cfg Config, from *Resume) (*Pod, error) {
	cfg.setDefaults()
	if found := Check(&cfg.Spec); len(found) > 0 {
		errs := make([]error, len(found))
		for i, p := range found {
			errs[i] = p
		}
		return nil, fmt.Errorf("run pod %s/%s: %w", cfg.Namespace, cfg.Name, errors.Join(errs...))
	}
	p := &Pod{
		cfg: cfg, backOff: backOff{base: cfg.BackOff},
		stop: make(chan struct{}), kill: make(chan struct{}), detach: make(chan struct{}), done: make(chan struct{}),
		status: Status{Phase: corev1.PodPending},
	}
	var running *process
	var ended *Exit
	if from != nil {
		p.status = Status{
			Phase: corev1.PodRunning, PID: from.PID, StartID: from.StartID, StartedAt: from.StartedAt,
			Ports: from.Ports, Restarts: from.Restarts,
		}
		if cfg.Ports != nil {
			cfg.Ports.adopt(from.Ports)
		}
		// Only a living process is watched: what follows a death is a signal to its
		// group, whose number may by now be a stranger's.
		switch {
		case Alive(from.PID, from.StartID):
			running = watch(from.PID, from.StartID, cfg.ExitPath)
		case cfg.Spec.RestartPolicy == corev1.RestartPolicyNever:
			exit := readExit(cfg.ExitPath)
			ended = &exit
		default:
			p.status.Restarts++
		}
	}
	go p.live(running, ended)
	return p, nil
}

// Status is how the pod is now.
func (p *Pod) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

// Done is closed when the pod has ended for good, or was detached.
func (p *Pod) Done() <-chan struct{} { return p.done }

// Stop ends the pod: preStop, SIGTERM to its process group, SIGKILL after the
// grace period, or as soon as ctx ends. It returns when the process is gone. The
// error is ErrDetached if the pod was let go instead.
func (p *Pod) Stop(ctx context.Context) error {
	p.stopOnce.Do(func() { close(p.stop) })
	select {
	case <-p.done:
	case <-ctx.Done():
		p.killOnce.Do(func() { close(p.kill) })
		<-p.done // comes soon: a killed process is waited for no longer than killWait
	}
	if p.detached {
		return ErrDetached
	}
	return nil
}

// Detach lets the process go on without us, to be adopted later, and returns when
// nothing of the pod is left in this process.
func (p *Pod) Detach() {
	p.detachOnce.Do(func() { close(p.detach) })
	<-p.done
}

// update changes the status and reports it. Only the pod's own goroutine calls it.
func (p *Pod) update(change func(*Status)) {
	p.mu.Lock()
	change(&p.status)
	now := p.status
	p.mu.Unlock()
	p.cfg.OnChange(now)
}

package pod

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
)

// Pod is a running pod. Its methods must not be called from its own OnChange.
type Pod struct {
	cfg      Config
	restarts restartBackOff

	stop, kill, detach             chan struct{}
	stopOnce, killOnce, detachOnce sync.Once
	done                           chan struct{}
	detached                       bool // written before done is closed

	mu     sync.Mutex
	status Status
}

// Start runs the pod until Stop or Detach, and returns at once. A command that can't be
// started shows in the status. The error for an unsupported spec wraps mistake.Mistakes.
func Start(cfg Config) (*Pod, error) { return newPod(cfg, nil) }

// Adopt takes over a process that an earlier Pod started. If the process has ended
// meanwhile, it is restarted, unless the RestartPolicy is Never.
func Adopt(cfg Config, from Handle) (*Pod, error) { return newPod(cfg, &from) }

func newPod(cfg Config, from *Handle) (*Pod, error) {
	cfg.setDefaults()
	if err := Check(&cfg.Spec).Err(); err != nil {
		return nil, fmt.Errorf("run pod %s/%s: %w", cfg.Namespace, cfg.Name, err)
	}
	p := &Pod{
		cfg: cfg, restarts: restartBackOff{base: cfg.BackOff},
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
		// Only a running process may be watched: after its end its process group is
		// killed, and the group's ID may belong to another one by now.
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
	go p.run(running, ended)
	return p, nil
}

// Status returns the current status.
func (p *Pod) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

// Done returns a channel that is closed when the pod has ended for good, or was detached.
func (p *Pod) Done() <-chan struct{} { return p.done }

// Stop terminates the pod: preStop, SIGTERM to its process group, and SIGKILL after the
// grace period or as soon as ctx ends. It returns when the process has ended. The error
// is ErrDetached if the pod was detached instead.
func (p *Pod) Stop(ctx context.Context) error {
	p.stopOnce.Do(func() { close(p.stop) })
	select {
	case <-p.done:
	case <-ctx.Done():
		p.killOnce.Do(func() { close(p.kill) })
		<-p.done // the wait for a killed process is bounded by killWait
	}
	if p.detached {
		return ErrDetached
	}
	return nil
}

// Detach stops supervising the process, which runs on and can be adopted later. It
// returns when the pod's goroutines have ended.
func (p *Pod) Detach() {
	p.detachOnce.Do(func() { close(p.detach) })
	<-p.done
}

// update changes the status and reports it. It must be called from the pod's goroutine.
func (p *Pod) update(change func(*Status)) {
	p.mu.Lock()
	change(&p.status)
	now := p.status
	p.mu.Unlock()
	p.cfg.OnChange(now)
}

package pod

import (
	"errors"
	"fmt"
	"syscall"
)

// ErrNotRunning says that a pod has no process at the moment.
var ErrNotRunning = errors.New("no process of it runs")

// Crash kills the pod's process with SIGKILL, as the kernel does where memory runs out,
// and returns the number that it had. The pod goes on as after any crash: its
// RestartPolicy says how.
func (p *Pod) Crash() (pid int, err error) {
	s := p.Status()
	if !Alive(s.PID, s.StartID) {
		return 0, ErrNotRunning
	}
	if err := syscall.Kill(-s.PID, syscall.SIGKILL); err != nil {
		return 0, fmt.Errorf("kill process %d: %w", s.PID, err)
	}
	return s.PID, nil
}

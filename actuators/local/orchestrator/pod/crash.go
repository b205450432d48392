package pod

import (
	"errors"
	"fmt"
	"syscall"
)

// ErrNotRunning is returned if a pod has no process at the moment.
var ErrNotRunning = errors.New("no process of it runs")

// Crash kills the pod's process with SIGKILL, as the kernel's OOM killer does, and
// returns its PID. The RestartPolicy applies as after any crash.
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

package pod

import (
	"fmt"
	"runtime"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// runResult is why the pod's loop stopped supervising a process.
type runResult int

const (
	exited   runResult = iota // it ended by itself, or was killed because a probe failed
	stopped                   // Stop was called
	detached                  // Detach was called, and the process runs on
)

// run is the lifecycle of a pod, in its own goroutine:
//
//	      +------------------------- back-off <---------+
//	      v                                             |
//	   launch ---> running --(exit, probe failed)---> restart?
//	                  |                                 |
//	      +--(Stop)---+---(Detach)--> runs on           no
//	      v                                             v
//	preStop, SIGTERM, grace, SIGKILL ---------> Succeeded or Failed
func (p *Pod) run(proc *process, ended *Exit) {
	defer close(p.done)
	if p.cfg.KillWithParent {
		// The kernel signals the process when the thread that started it exits, so that
		// thread must outlive the process.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
	}
	defer func() {
		if p.cfg.Ports != nil {
			p.cfg.Ports.release(p.status.Ports)
		}
	}()
	for {
		exit, end := Exit{Code: startFailed}, exited
		if proc == nil && ended == nil {
			proc = p.launch()
		}
		switch {
		case proc != nil:
			exit, end = p.supervise(proc)
			proc = nil
		case ended != nil:
			exit = p.recordExit(*ended)
		}
		switch {
		case end == detached:
			p.detached = true
			return
		case end == stopped || !p.shouldRestart(exit):
			p.finish(exit)
			return
		}
		switch p.waitToRestart(exit) {
		case detached:
			p.detached = true
			return
		case stopped:
			p.finish(exit)
			return
		}
	}
}

// startFailed is the exit code of a shell for a command that can't be started.
const startFailed = 127

// launch starts the process. If that fails, it returns nil and reports a StartError.
func (p *Pod) launch() *process {
	ports, err := p.assignPorts()
	if err != nil {
		p.reportStartError(err)
		return nil
	}
	p.update(func(s *Status) { s.PID, s.StartID, s.Ports = 0, "", ports })
	c := &p.cfg.Spec.Containers[0]
	vars, err := p.cfg.environment(ports)
	if err != nil {
		p.reportStartError(err)
		return nil
	}
	var argv []string
	for _, word := range append(append([]string{}, c.Command...), c.Args...) {
		argv = append(argv, expand(word, vars.get))
	}
	if argv[0] == "scanflow" && p.cfg.Self != "" {
		argv[0] = p.cfg.Self
	}
	proc, err := p.start(argv, vars)
	if err != nil {
		p.reportStartError(err)
		return nil
	}
	p.cfg.Log.Debug("process started", "pod", p.cfg.Name, "pid", proc.pid, "ports", fmt.Sprint(ports))
	p.update(func(s *Status) {
		s.Phase, s.PID, s.StartID, s.StartedAt = corev1.PodRunning, proc.pid, proc.startID, p.cfg.Clock.Now()
		s.Started = c.StartupProbe == nil
		s.Reason, s.Message = "", ""
	})
	return proc
}

func (p *Pod) start(argv []string, vars *variables) (*process, error) {
	exitPath := p.cfg.ExitPath
	if p.cfg.KillWithParent { // the kernel would kill the recorder but not the command, its child
		exitPath = ""
	}
	if exitPath != "" {
		var err error
		if argv, err = withExitRecorder(argv, exitPath); err != nil {
			return nil, err
		}
	}
	return start(argv, p.processEnv(vars), p.cfg.Spec.Containers[0].WorkingDir, p.cfg.LogPath, exitPath, p.cfg.Cores, p.cfg.KillWithParent)
}

func (p *Pod) reportStartError(err error) {
	p.cfg.Log.Warn("pod can't start", "pod", p.cfg.Name, "error", err)
	p.update(func(s *Status) {
		s.PID, s.StartID, s.StartedAt, s.Ready = 0, "", p.cfg.Clock.Now(), false
		s.Reason, s.Message = "StartError", err.Error()
	})
}

func (p *Pod) assignPorts() ([]Port, error) {
	want := p.cfg.Spec.Containers[0].Ports
	if p.cfg.Ports == nil {
		return containerPorts(want), nil
	}
	return p.cfg.Ports.assign(p.cfg.IP, want, p.status.Ports)
}

func (p *Pod) processEnv(vars *variables) []string {
	env := append([]string{}, p.cfg.BaseEnv...)
	env = append(env, "HOSTNAME="+p.cfg.Name)
	return append(append(env, vars.list()...), UIDVariable+"="+p.cfg.UID)
}

// shouldRestart reports whether the restart policy restarts the process.
func (p *Pod) shouldRestart(exit Exit) bool {
	switch p.cfg.Spec.RestartPolicy {
	case corev1.RestartPolicyNever:
		return false
	case corev1.RestartPolicyOnFailure:
		return exit.Code != 0
	}
	return true
}

func (p *Pod) waitToRestart(exit Exit) runResult {
	wait := p.restarts.next(p.cfg.Clock.Now().Sub(p.status.StartedAt))
	p.update(func(s *Status) {
		if s.Reason != "StartError" {
			s.Message = exit.String()
		}
		if wait > 0 {
			s.Reason = "CrashLoopBackOff"
			s.Message = fmt.Sprintf("%s; restart %d in %s", s.Message, s.Restarts+1, wait.Round(time.Millisecond))
		}
	})
	p.cfg.Log.Warn("process ended; it will be restarted", "pod", p.cfg.Name, "exit", exit.String(), "wait", wait.String(), "log", p.cfg.LogPath)
	timer, stopTimer := p.cfg.Clock.Timer(wait)
	defer stopTimer()
	select {
	case <-p.detach:
		return detached
	case <-p.stop:
		return stopped
	case <-timer:
	}
	select {
	case <-p.stop: // Stop was called while the process was being terminated after a failed probe
		return stopped
	default:
	}
	p.update(func(s *Status) { s.Restarts++ })
	return exited
}

func (p *Pod) finish(exit Exit) {
	p.update(func(s *Status) {
		s.Phase, s.Ready, s.PID, s.StartID = corev1.PodFailed, false, 0, ""
		if exit.Code == 0 {
			s.Phase = corev1.PodSucceeded
		}
		if s.Reason != "StartError" { // its message is more specific
			s.Message = exit.String()
		}
		s.Reason = ""
	})
}

// String describes the exit for a person, as "exit status 1".
func (e Exit) String() string {
	switch {
	case e.Signal != "":
		return "ended by signal: " + e.Signal
	case e.Code < 0:
		return "ended; its exit status is not known"
	}
	return fmt.Sprintf("exit status %d", e.Code)
}

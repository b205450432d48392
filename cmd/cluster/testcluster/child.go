package testcluster

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// child is a command of cmd/cluster under way: a node, a gateway.
type child struct {
	name    string
	cmd     *exec.Cmd
	alive   io.Closer // the child ends when this does, so that it can't outlive us
	done    chan struct{}
	log     string // file of all that it prints
	stopped bool
}

func (c *Cluster) startChild(name, logName, program string, args []string) (*child, error) {
	n := &child{name: name, done: make(chan struct{}), log: c.path(logName)}
	log, err := os.OpenFile(n.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the child has its own
	n.cmd = exec.CommandContext(context.Background(), program, args...)
	n.cmd.Stdout, n.cmd.Stderr = log, log
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for us; we stop it
	if n.alive, err = n.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := n.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(n.done)
		_ = n.cmd.Wait() // how it ended is read from the process' state
	}()
	return n, nil
}

// childStops is how long a child may take to end, with what it runs.
const childStopTimeout = 10 * time.Second

// Stop ends the child in order. The error says that it had ended before by itself.
func (n *child) Stop() error {
	if n.stopped {
		return nil
	}
	n.stopped = true
	early := false
	select {
	case <-n.done:
		early = true
	default:
	}
	_ = n.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	timer := time.NewTimer(childStopTimeout)
	defer timer.Stop()
	select {
	case <-n.done:
	case <-timer.C:
		n.Kill()
	}
	if early {
		return fmt.Errorf("%s ended by itself: %s; its log is %s", n.name, n.cmd.ProcessState, n.log)
	}
	return nil
}

// Kill ends the child's process as a crash would; what it runs dies with it.
func (n *child) Kill() {
	_ = n.cmd.Process.Kill() // it may have ended
	<-n.done
}

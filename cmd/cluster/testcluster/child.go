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

// child is a running subcommand of cmd/cluster: a node or a gateway.
type child struct {
	name    string
	cmd     *exec.Cmd
	stdin   io.Closer // the child ends when its input does, so that it can't outlive this process
	done    chan struct{}
	log     string // the file of its output
	stopped bool
}

func (c *Cluster) startChild(name, logName, program string, args []string) (*child, error) {
	n := &child{name: name, done: make(chan struct{}), log: c.path(logName)}
	log, err := os.OpenFile(n.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the child has its own descriptor
	n.cmd = exec.CommandContext(context.Background(), program, args...)
	n.cmd.Stdout, n.cmd.Stderr = log, log
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C signals only this process, which stops the child
	if n.stdin, err = n.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := n.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(n.done)
		_ = n.cmd.Wait() // the result is in cmd.ProcessState
	}()
	return n, nil
}

// childStopTimeout bounds the time that a child and its processes may take to end.
const childStopTimeout = 10 * time.Second

// Stop terminates the child gracefully. It is an error if the child has ended before.
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

// Kill kills the child, as a crash would. Its pods end with it.
func (n *child) Kill() {
	_ = n.cmd.Process.Kill() // it may have ended
	<-n.done
}

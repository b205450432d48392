package testcluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// process is a running program of the cluster. The kernel kills it when this process ends.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// start runs a program of the binary, and writes its output to a log file.
func (c *Cluster) start(program string, flags ...string) error {
	log, err := os.OpenFile(filepath.Join(c.dir, program+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	// Without a context, because it runs until Stop, or until this process ends.
	cmd := exec.CommandContext(context.Background(), c.binary, append([]string{program}, flags...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, log, log
	cmd.SysProcAttr = killWithParent()
	p := &process{cmd: cmd, done: make(chan struct{})}
	// The thread that starts it must outlive it: the kernel kills it when the thread ends.
	started := make(chan error)
	go func() {
		lockThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		started <- nil
		_ = cmd.Wait() // the error is that it was killed
		close(p.done)
	}()
	err = <-started
	_ = log.Close() // the program has its own descriptor
	if err != nil {
		return fmt.Errorf("start %s: %w", program, err)
	}
	c.mu.Lock()
	c.processes[program] = p
	c.mu.Unlock()
	return nil
}

// kill kills the program, which is faster than a graceful end.
func (p *process) kill() error {
	select {
	case <-p.done:
		return nil
	default:
	}
	err := p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.done
	return err
}

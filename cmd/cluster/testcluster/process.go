package testcluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// process is one program of the cluster. The kernel kills it with this one.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// start runs a program of the binary; its output goes to a log file.
func (c *Cluster) start(program string, flags ...string) error {
	log, err := os.OpenFile(filepath.Join(c.dir, program+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	// Of no context: it ends with Stop, or with this process.
	cmd := exec.CommandContext(context.Background(), c.binary, append([]string{program}, flags...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, log, log
	cmd.SysProcAttr = killWithParent()
	p := &process{cmd: cmd, done: make(chan struct{})}
	// The thread that starts it must outlive it: the kernel watches the thread.
	started := make(chan error)
	go func() {
		lockThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		started <- nil
		_ = cmd.Wait() // a killed program has nothing to say
		close(p.done)
	}()
	err = <-started
	_ = log.Close() // the program has its own
	if err != nil {
		return fmt.Errorf("start %s: %w", program, err)
	}
	c.mu.Lock()
	c.processes[program] = p
	c.mu.Unlock()
	return nil
}

// kill ends it as a crash would, which is quicker than asking.
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

package pod

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// process is one run of a pod's command: our child, or one that was started by a
// process that is gone. It leads a process group of its own.
type process struct {
	pid     int
	startID string
	exit    string    // the file that gets its exit status, "" for none
	exited  chan Exit // gets the exit once
	cancel  context.CancelFunc
	done    chan struct{}
}

// start runs the command and watches it. The child is reaped here, not by os/exec:
// a pod may be let go while its process runs, and Wait can't be interrupted.
func start(argv, env []string, dir, logPath, exitPath string, cores Cores, killWithParent bool) (*process, error) {
	logFile, err := openLog(logPath)
	if err != nil {
		return nil, err
	}
	defer func() { _ = logFile.Close() }()                                 // the child has its own descriptor
	cmd := exec.CommandContext(context.Background(), argv[0], argv[1:]...) // it outlives every context of ours
	cmd.Env, cmd.Dir = env, dir
	cmd.Stdout, cmd.Stderr = logFile, logFile
	cmd.SysProcAttr = groupLeader(killWithParent)
	if err := onCores(cores, cmd.Start); err != nil {
		return nil, fmt.Errorf("start %s: %w", argv[0], err)
	}
	pid := cmd.Process.Pid
	_ = cmd.Process.Release()
	id, err := startID(pid)
	if err != nil {
		_ = syscall.Kill(-pid, syscall.SIGKILL)
		_, _ = syscall.Wait4(pid, nil, 0, nil)
		return nil, fmt.Errorf("start %s: %w", argv[0], err)
	}
	return watch(pid, id, exitPath), nil
}

// watch follows a process until it exits or is released.
func watch(pid int, id, exitPath string) *process {
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{pid: pid, startID: id, exit: exitPath, exited: make(chan Exit, 1), cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		if !p.await(ctx) {
			return
		}
		// What the process left behind in its group dies with it, as in a container.
		_ = syscall.Kill(-p.pid, syscall.SIGKILL)
		p.exited <- p.reap()
	}()
	return p
}

// release stops watching. The process itself goes on, if it has not ended.
func (p *process) release() {
	p.cancel()
	<-p.done
}

// signal sends to the whole group, unless the process is known to have ended: its
// number may by then be another's.
func (p *process) signal(sig syscall.Signal) {
	select {
	case <-p.done:
	default:
		_ = syscall.Kill(-p.pid, sig)
	}
}

// reap collects the exit status: of our child, or what was written down of another's.
func (p *process) reap() Exit {
	exit := Exit{}
	var status syscall.WaitStatus
	for {
		pid, err := syscall.Wait4(p.pid, &status, syscall.WNOHANG, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || pid != p.pid {
			return readExit(p.exit)
		}
		break
	}
	exit.Code = status.ExitStatus()
	if status.Signaled() {
		exit.Code, exit.Signal = 128+int(status.Signal()), status.Signal().String()
	}
	return exit
}

// awaitByPolling is for systems without a descriptor to wait on. It returns false
// when ctx ended first.
func (p *process) awaitByPolling(ctx context.Context) bool {
	const every = 100 * time.Millisecond
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if !Alive(p.pid, p.startID) {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
}

const maxLog = 16 << 20 // bytes; a larger log is set aside as LOG.1 when the process starts

func openLog(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, fmt.Errorf("set the log aside: %w", err)
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	return f, nil
}

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

// process is one run of a pod's command: a child of ours, or an adopted process. It leads
// its own process group.
type process struct {
	pid     int
	startID string
	exit    string    // the file of its exit status; "" for none
	exited  chan Exit // receives the exit once
	cancel  context.CancelFunc
	done    chan struct{}
}

// start runs the command and watches it. The child is reaped by watch and not by os/exec:
// a pod may be detached while its process runs, and Cmd.Wait can't be cancelled.
func start(argv, env []string, dir, logPath, exitPath string, cores Cores, killWithParent bool) (*process, error) {
	logFile, err := openLog(logPath)
	if err != nil {
		return nil, err
	}
	defer func() { _ = logFile.Close() }()                                 // the child has its own descriptor
	cmd := exec.CommandContext(context.Background(), argv[0], argv[1:]...) // the process may outlive this one
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

// watch waits in the background until the process exits or is released.
func watch(pid int, id, exitPath string) *process {
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{pid: pid, startID: id, exit: exitPath, exited: make(chan Exit, 1), cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		if !p.await(ctx) {
			return
		}
		// The rest of the process group ends with its leader, as in a container.
		_ = syscall.Kill(-p.pid, syscall.SIGKILL)
		p.exited <- p.reap()
	}()
	return p
}

// release stops watching the process, which runs on.
func (p *process) release() {
	p.cancel()
	<-p.done
}

// signal signals the process group, unless the process is known to have ended: the ID
// may have been reused since.
func (p *process) signal(sig syscall.Signal) {
	select {
	case <-p.done:
	default:
		_ = syscall.Kill(-p.pid, sig)
	}
}

// reap collects the exit status of a child, or reads the recorded one of an adopted process.
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

// awaitByPolling is await for systems without pidfd.
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

const maxLog = 16 << 20 // bytes; a larger log is renamed to LOG.1 when the process starts

func openLog(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, fmt.Errorf("rotate the log: %w", err)
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	return f, nil
}

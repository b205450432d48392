package pod

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func groupLeader(killWithParent bool) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if killWithParent {
		attr.Pdeathsig = syscall.SIGKILL
	}
	return attr
}

// startID returns the boot ID and the clock tick at which the process started. Together
// with the PID they identify a process: PIDs are reused, and ticks restart at each boot.
func startID(pid int) (string, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read the boot id: %w", err)
	}
	_, ticks, err := stat(pid)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(boot)) + ":" + ticks, nil
}

func stat(pid int) (state, startTicks string, err error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", "", fmt.Errorf("read the state of process %d: %w", pid, err)
	}
	// The command's name is in parentheses and may contain any character, ')' included.
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	const stateField, startField = 0, 19 // fields 3 and 22 of proc(5), counted after the name
	if len(fields) <= startField {
		return "", "", fmt.Errorf("read the state of process %d: only %d fields", pid, len(fields))
	}
	return fields[stateField], fields[startField], nil
}

// Alive reports whether the process with this PID and StartID still runs.
func Alive(pid int, id string) bool {
	if pid <= 0 {
		return false
	}
	state, _, err := stat(pid)
	if err != nil || state == "Z" || state == "X" {
		return false
	}
	now, err := startID(pid)
	return err == nil && now == id
}

// await returns true once the process has ended, whether it is a child or not, and false
// if ctx ends first. It blocks no thread.
func (p *process) await(ctx context.Context) bool {
	fd, err := unix.PidfdOpen(p.pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return p.awaitByPolling(ctx)
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	defer func() { _ = f.Close() }()
	if !Alive(p.pid, p.startID) {
		return true
	}
	conn, err := f.SyscallConn()
	if err != nil || f.SetReadDeadline(time.Time{}) != nil {
		return p.awaitByPolling(ctx)
	}
	stop := context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	err = conn.Read(func(fd uintptr) bool {
		set := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(set, 0)
		return err == nil && n > 0
	})
	return err == nil
}

// ProcessesByUID finds the running processes that carry a pod's UID in their environment.
// It is for pods whose orchestrator died before it had recorded the PID.
func ProcessesByUID() map[string][]Handle {
	out := map[string][]Handle{}
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		raw, err := os.ReadFile(filepath.Join(dir, "environ"))
		if err != nil {
			continue // of another user, or ended
		}
		for entry := range bytes.SplitSeq(raw, []byte{0}) {
			uid, ok := strings.CutPrefix(string(entry), UIDVariable+"=")
			if !ok {
				continue
			}
			pid, err := strconv.Atoi(filepath.Base(dir))
			if err != nil {
				continue
			}
			if id, err := startID(pid); err == nil && Alive(pid, id) {
				out[uid] = append(out[uid], Handle{PID: pid, StartID: id})
			}
		}
	}
	return out
}

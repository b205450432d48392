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

// startID is the boot and the tick at which a process started: a number alone is
// given again to another process, and ticks begin anew with each boot.
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
	// The command's name stands in brackets and may hold anything, brackets too.
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	const stateField, startField = 0, 19 // fields 3 and 22 of proc(5), counted after the name
	if len(fields) <= startField {
		return "", "", fmt.Errorf("read the state of process %d: only %d fields", pid, len(fields))
	}
	return fields[stateField], fields[startField], nil
}

// Alive tells whether the very process that a Status named still runs.
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

// await returns true once the process has ended, child or not, and false when ctx
// ended first. It holds no thread while it waits.
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

// Tagged finds the running processes that carry a pod's UID, by UID: those of a
// pod whose starter died before it could write the process' number down.
func Tagged() map[string][]Resume {
	out := map[string][]Resume{}
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		raw, err := os.ReadFile(filepath.Join(dir, "environ"))
		if err != nil {
			continue // another user's, or gone
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
				out[uid] = append(out[uid], Resume{PID: pid, StartID: id})
			}
		}
	}
	return out
}

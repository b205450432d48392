//go:build unix && !linux

package pod

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

func groupLeader(bool) *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func startID(pid int) (string, error) {
	out, err := exec.CommandContext(context.Background(), "ps", "-o", "lstart=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return "", fmt.Errorf("read the start of process %d: %w", pid, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Alive reports whether the process with this PID and StartID still runs.
func Alive(pid int, id string) bool {
	if pid <= 0 || errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	out, err := exec.CommandContext(context.Background(), "ps", "-o", "state=,lstart=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return false
	}
	state, start, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	return !strings.HasPrefix(state, "Z") && strings.TrimSpace(start) == id
}

func (p *process) await(ctx context.Context) bool { return p.awaitByPolling(ctx) }

// ProcessesByUID finds nothing here: the environment of another process can't be read.
func ProcessesByUID() map[string][]Handle { return nil }

//go:build unix && !linux

package pod

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
)

var errNoCores = errors.New("a process can't be held to cores on " + runtime.GOOS + ", only on linux; leave the cores out")

// UsableCores always fails here: affinity is only supported on Linux.
func UsableCores() (Cores, error) { return nil, errNoCores }

// machineMemory returns the memory of this machine in bytes.
func machineMemory() (int64, error) {
	name := "hw.physmem"
	if runtime.GOOS == "darwin" {
		name = "hw.memsize"
	}
	out, err := exec.CommandContext(context.Background(), "sysctl", "-n", name).Output()
	if err != nil {
		return 0, fmt.Errorf("sysctl %s: %w", name, err)
	}
	return strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
}

func onCores(cores Cores, start func() error) error {
	if len(cores) > 0 {
		return errNoCores
	}
	return start()
}

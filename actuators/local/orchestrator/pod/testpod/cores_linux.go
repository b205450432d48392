package testpod

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// OnCores fails the test unless every thread of a process has exactly these cores, in
// the kernel's list format.
func OnCores(t testing.TB, pid int, want string) {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(files) == 0 {
		t.Errorf("process %d: its threads can't be read: %v", pid, err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		_, rest, _ := strings.Cut(string(raw), "Cpus_allowed_list:")
		if got := strings.Fields(rest); len(got) == 0 || got[0] != want {
			t.Errorf("%s: the thread has the cores %v, not %s", file, got, want)
		}
	}
}

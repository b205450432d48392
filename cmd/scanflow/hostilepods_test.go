//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A process that replaces itself adopts its pods as after a crash, although they are still
// its own children: it notices one that ends later, and replaces it.
func TestPodsRunOnWhileTheProcessBeginsAnew(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	out, code := scanflow(t, "digits", "train", "--count", "300", "-o", file("m.digits"))
	require.Equal(t, 0, code, out)
	deployment, _, _ := strings.Cut(classifier, "---")
	for name, text := range map[string]string{
		"workloads/digits.yaml": strings.ReplaceAll(deployment, "MODEL.FILE", file("m.digits")),
		"agents/scaler.yaml":    strings.NewReplacer("[t.three]", "[t.three, t.bomb]", "primitives: [scale]", "primitives: [scale, webhook]").Replace(scaler),
		"policies/three.rego":   three,
		"policies/bomb.rego":    strings.NewReplacer("load", "ready").Replace(withEscape("bomb", "input.signals.ready.value == 3")),
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(file(name)), 0o755))
		require.NoError(t, os.WriteFile(file(name), []byte(text), 0o644))
	}
	t.Cleanup(func() {
		for _, pid := range processes(t, file("m.digits")) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	d := startDaemon(t, "-f", file("agents"), "--policies", file("policies"), "--workloads", file("workloads"), "--data", file("data"))
	pods := func() []int {
		pids := processes(t, file("m.digits"))
		slices.Sort(pids)
		return pids
	}
	require.Eventually(t, func() bool { return len(pods()) == 3 }, 30*time.Second, 5*time.Millisecond)
	d.said("an evaluation went on after its deadline")
	before := pods()
	require.Len(t, before, 3)
	d.saidAgain(`"@message":"running"`, 2)
	require.Equal(t, before, pods(), "each runs on")
	require.NoError(t, syscall.Kill(before[0], syscall.SIGKILL))
	require.Eventually(t, func() bool {
		now := pods()
		return len(now) == 3 && !slices.Contains(now, before[0])
	}, 30*time.Second, 5*time.Millisecond, "a pod that ended is not replaced")
	d.stop()
}

// childOf is a child process of a process, "" where it has none.
func childOf(pid int) string {
	files, _ := filepath.Glob(filepath.Join("/proc", fmt.Sprint(pid), "task", "*", "children"))
	for _, file := range files {
		if raw, err := os.ReadFile(file); err == nil && len(strings.Fields(string(raw))) > 0 {
			return strings.Fields(string(raw))[0]
		}
	}
	return ""
}

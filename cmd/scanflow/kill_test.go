//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
)

const sized = `package scanflow.strategies.t.sized

propose contains p if {
	input.signals.ready.value != 4242
	p := {"primitive": "scale", "with": {"replicas": 4242}, "reason": "wrong_size", "because": ["ready"]}
}
`

// Never 4 of an act that takes a while: kill -9 in the middle of a scale, time and
// again. The next start adopts what runs, settles what was open, and ends at the
// number wanted, with no pod lost or forgotten and no two scales at once.
func TestKillDuringAScale(t *testing.T) {
	t.Parallel()
	kills := 5
	if os.Getenv("SCANFLOW_SOAK") != "" {
		kills = 100
	}
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) {
		t.Helper()
		require.NoError(t, os.MkdirAll(filepath.Dir(file(name)), 0o755))
		require.NoError(t, os.WriteFile(file(name)+".new", []byte(text), 0o644))
		require.NoError(t, os.Rename(file(name)+".new", file(name)))
	}
	want := func(n int) { write("policies/sized.rego", strings.ReplaceAll(sized, "4242", strconv.Itoa(n))) }
	out, code := scanflow(t, "digits", "train", "--count", "300", "-o", file("m.digits"))
	require.Equal(t, 0, code, out)
	// A pod is ready after a second, so that a scale up is under way for several turns
	// of an agent that goes on asking for it.
	deployment, _, _ := strings.Cut(classifier, "---") // no Service: another process may take its port between two lives
	write("workloads/digits.yaml", strings.NewReplacer("MODEL.FILE", file("m.digits"), "periodSeconds: 1", "periodSeconds: 1, initialDelaySeconds: 1").Replace(deployment))
	write("agents/scaler.yaml", strings.NewReplacer("t.three", "t.sized", "200ms", "100ms").Replace(scaler))
	want(2) // as the YAML says: nothing to do yet
	t.Cleanup(func() {
		for _, pid := range processes(t, file("m.digits")) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})

	args := []string{"-f", file("agents"), "--policies", file("policies"), "--workloads", file("workloads"), "--data", file("data")}
	// settled waits until so many pods run, each known to the orchestrator and
	// answering at its port, with nothing beside them and no act left open.
	settled := func(wanted int) {
		t.Helper()
		require.Eventually(t, func() bool {
			var known []int
			for _, p := range recorded(t, file("data")) {
				if !p.answers() {
					return false
				}
				known = append(known, p.PID)
			}
			slices.Sort(known)
			there := processes(t, file("m.digits"))
			slices.Sort(there)
			return len(known) == wanted && slices.Equal(known, there) && len(running(scales(t, file("data")))) == 0
		}, 30*time.Second, 20*time.Millisecond, "never %d pods and nothing open", wanted)
		requireOneByOne(t, scales(t, file("data")))
	}
	d := startDaemon(t, args...)
	settled(2)
	midway := 0
	for i := range kills {
		wanted := 3 - i%2
		want(wanted)
		require.Eventually(t, func() bool { return decided(d, wanted) }, 20*time.Second, time.Millisecond, "no scale to %d", wanted)
		if i%4 == 2 { // later: the new process is there, and perhaps not yet on record
			require.Eventually(t, func() bool { return len(processes(t, file("m.digits"))) == wanted }, 20*time.Second, time.Millisecond)
		}
		d.kill()
		open := running(scales(t, file("data")))
		require.LessOrEqual(t, len(open), 1, "scales under way")
		midway += len(open)
		d = startDaemon(t, args...)
		settled(wanted)
	}
	require.Positive(t, midway, "no kill was in the middle of a scale")
	t.Logf("%d kills, %d of them before the outcome, %d scales", kills, midway, len(scales(t, file("data"))))
	d.stop()
	settled(3 - (kills-1)%2) // they outlive the daemon
	require.GreaterOrEqual(t, len(scales(t, file("data"))), kills)
	out, code = scanflow(t, "decisions", "--data", file("data"), "--json", "--verdict", "admitted", "--limit", "0")
	require.Equal(t, 0, code, out)
	require.Equal(t, len(scales(t, file("data"))), strings.Count(out, "\n"), out)
	require.NotContains(t, out, `"status":"running"`)
}

// decided reports whether a daemon has logged the decision to scale to a number.
func decided(d *daemon, replicas int) bool {
	return slices.ContainsFunc(d.lines(), func(line map[string]any) bool {
		return line["@message"] == "decided" && line["verdict"] == "admitted" && line["with"] == fmt.Sprintf("replicas=%d", replicas)
	})
}

// scales are the admitted acts of a journal, the oldest first.
func scales(t *testing.T, data string) []journal.Row {
	t.Helper()
	r, err := journal.OpenReader(t.Context(), app.JournalDir(data))
	require.NoError(t, err)
	defer func() { _ = r.Close() }()
	rows, err := r.Decisions(t.Context(), journal.Filter{Verdict: engine.Admitted, OldestFirst: true})
	require.NoError(t, err)
	return rows
}

func running(rows []journal.Row) []journal.Row {
	return slices.DeleteFunc(slices.Clone(rows), func(r journal.Row) bool {
		return r.Outcome != nil && r.Outcome.Status != engine.Running
	})
}

// requireOneByOne has each act end before the next one begins.
func requireOneByOne(t *testing.T, rows []journal.Row) {
	t.Helper()
	for i, row := range rows {
		require.NotNil(t, row.EndedAt, row.ID)
		if i > 0 {
			require.False(t, row.At.Before(*rows[i-1].EndedAt), "%s began before %s had ended: %v", row.ID, rows[i-1].ID, rows)
		}
	}
}

// podRecord is the part of the local orchestrator's record of a pod that tests read.
type podRecord struct {
	PID   int
	Ports []struct{ Host int }
}

func (p podRecord) answers() bool {
	if len(p.Ports) == 0 {
		return false
	}
	res, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/healthz", p.Ports[0].Host))
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// recorded are the pods that the local orchestrator knows of, while it works.
func recorded(t *testing.T, data string) (pods []podRecord) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(data, "local", "pods", "*.json"))
	require.NoError(t, err)
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it went meanwhile
		}
		require.NoError(t, err)
		var p podRecord
		require.NoError(t, json.Unmarshal(raw, &p), "%s: %s", name, raw)
		pods = append(pods, p)
	}
	return pods
}

// processes are those with a text in their command line.
func processes(t *testing.T, text string) (out []int) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	require.NoError(t, err)
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if line, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline")); err == nil && strings.Contains(string(line), text) {
			out = append(out, pid)
		}
	}
	return out
}

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The demo, as a person runs it: on rendered digits, or on MNIST's own where the
// environment names them. Whether its latency objective holds is a matter of the
// machine, so it is the exit status that is held against the report, and the acts
// against the load.
func TestDemo(t *testing.T) {
	dir := t.TempDir()
	args := []string{"demo", "--speed", "3", "--json", "--keep", "--dir", dir}
	source := "rendered"
	if mnist := os.Getenv("SCANFLOW_MNIST"); mnist != "" {
		args, source = append(args, "--digits", mnist), "IDX files"
	}
	log := filepath.Join(dir, "out")
	out, err := os.Create(log)
	require.NoError(t, err)
	defer func() { _ = out.Close() }()
	c := command(t, args...)
	c.Stdout, c.Stderr = out, os.Stderr
	require.NoError(t, c.Start())
	exit := make(chan error, 1)
	go func() { exit <- c.Wait() }()
	t.Cleanup(func() { _ = c.Process.Kill() })
	text := func() string {
		raw, err := os.ReadFile(log)
		require.NoError(t, err)
		return string(raw)
	}
	require.Eventually(t, func() bool { return len(exit) > 0 || strings.Contains(text(), "Ctrl-C ends it") }, 3*time.Minute, 50*time.Millisecond)
	require.Empty(t, exit, "it ended by itself:\n%s", text())
	require.Contains(t, text(), filepath.Join(dir, "policies"), "it says which policies to edit")
	require.NoError(t, c.Process.Signal(syscall.SIGINT))
	select {
	case err := <-exit:
		t.Logf("demo: %v", err) // its status is held against the report below
	case <-time.After(20 * time.Second):
		require.FailNow(t, "still running 20 s after Ctrl-C")
	}

	lines := strings.Split(strings.TrimRight(text(), "\n"), "\n")
	var report struct {
		Model  struct{ Accuracy float64 }
		Phases []struct {
			Name     string
			Requests int
			Rate     float64  `json:"requests_per_second"`
			P50      float64  `json:"p50_ms"`
			P99      float64  `json:"p99_ms"`
			Errors   *float64 `json:"error_rate"`
			Replicas struct{ Min, Max, Start, End int }
		}
		Acts []struct {
			Primitive, Strategy, Reason, Direction, Outcome string
			AtS                                             float64 `json:"at_s"`
		}
		Flaps int
		Held  bool
	}
	require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &report), "the last line is the report")
	require.Equal(t, report.Held, c.ProcessState.ExitCode() == 0, text())
	require.Greater(t, report.Model.Accuracy, 0.9)
	require.Contains(t, text(), source)
	require.Len(t, report.Phases, 4)
	for _, p := range report.Phases {
		require.Positive(t, p.Rate, p.Name)
		require.Positive(t, p.P50, p.Name)
		require.GreaterOrEqual(t, p.P99, p.P50, p.Name)
		require.NotNil(t, p.Errors, p.Name)
	}
	for _, heading := range []string{"p99 settled", "load (requests/s)", "replicas (ready)", "latency p99 (ms)"} {
		require.Contains(t, text(), heading, "the table and the picture")
	}
	require.Equal(t, 1, report.Phases[0].Replicas.Max, "quiet")
	require.GreaterOrEqual(t, report.Phases[2].Replicas.Max, 3, "the swing")
	require.Less(t, report.Phases[3].Replicas.Min, report.Phases[2].Replicas.Max, "the fall")
	require.NotEmpty(t, report.Acts)
	first := report.Acts[0]
	require.Equal(t, []string{"scale", "serving.autoscale", "load_above_capacity", "up", "done"}, []string{first.Primitive, first.Strategy, first.Reason, first.Direction, first.Outcome})
	require.Contains(t, text(), "(load_above_capacity)", "one line a decision")
}

// TestDemoRefuses: a scenario takes minutes, so what is wrong is said before.
func TestDemoRefuses(t *testing.T) {
	for args, want := range map[string][]string{
		"mlperf --plot nosuch/run.svg":              {"--plot: open nosuch/run.svg"},
		"autoscale --plot= --speed 0":               {"--plot: it is empty", "--speed: autoscale runs at"},
		"day --plot .":                              {"--plot: open .: is a directory"},
		"autoscale --dir nosuch --plot nosuch2/a":   {"--plot: open nosuch2/a"},
		"day --dir nosuch --plot nosuch --speed 99": {"--speed: day"},
		"nosuch":                  {`there is no scenario "nosuch": choose of autoscale, drift`},
		"autoscale day":           {"one scenario runs at a time, and 2 are named"},
		"--list autoscale --json": {"--list: lists all scenarios; leave the name out", "--json: has no effect with --list"},
	} {
		out, code := scanflow(t, append([]string{"demo"}, strings.Fields(args)...)...)
		require.Equal(t, 1, code, args)
		for _, part := range want {
			require.Contains(t, out, part, args)
		}
		require.NotContains(t, out, "takes", args)
	}
}

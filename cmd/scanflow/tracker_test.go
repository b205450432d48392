package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// timeless takes out of an answer what differs from run to run.
func timeless(out string) string {
	return strings.TrimRight(regexp.MustCompile(`_time": \d+`).ReplaceAllString(out, `_time": TIME`), "\n")
}

func TestTrackerPage(t *testing.T) {
	t.Parallel()
	r := read(t, "docs/tracker.md", "", "")
	address := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	r.address("127.0.0.1:5000", address)
	begin := r.step("scanflow tracker")
	out := r.starts(begin.command + " --listen " + address)
	for _, line := range strings.Split(begin.shown, "\n") {
		r.says(out, r.replace.Replace(line))
	}
	for _, s := range r.steps("curl") {
		got, err := r.shell(s.command).CombinedOutput()
		require.NoError(t, err, string(got))
		require.Equal(t, timeless(s.shown), timeless(string(got)), s.command)
	}
}

// startTracker starts scanflow tracker and waits until it says its address.
func startTracker(t *testing.T, dir string, flags ...string) (url string, log func() string, stop func() error) {
	t.Helper()
	name, err := binary()
	require.NoError(t, err)
	r := &reader{t: t, dir: dir, replace: strings.NewReplacer()}
	c := r.shell(strings.Join(append([]string{"exec", name, "tracker"}, flags...), " "))
	path := filepath.Join(t.TempDir(), "log")
	file, err := os.Create(path)
	require.NoError(t, err)
	c.Stdout, c.Stderr = file, file
	require.NoError(t, c.Start())
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	log = func() string {
		raw, err := os.ReadFile(path)
		require.NoError(t, err)
		return string(raw)
	}
	stop = func() error {
		_ = c.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-ended:
			ended <- err
			return err
		case <-time.After(20 * time.Second):
			_ = c.Process.Kill()
			return fmt.Errorf("it did not end: %w", <-ended)
		}
	}
	t.Cleanup(func() {
		_ = stop()
		_ = file.Close()
		if t.Failed() {
			t.Log(log())
		}
	})
	export := regexp.MustCompile(`(?m)^export MLFLOW_TRACKING_URI=(http://\S+)$`)
	require.Eventually(t, func() bool {
		if m := export.FindStringSubmatch(log()); m != nil {
			url = m[1]
		}
		return url != ""
	}, 20*time.Second, 10*time.Millisecond)
	return url, log, stop
}

func TestTrackerWantsItsToken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "token"), []byte("s3cret\n"), 0o600))
	url, log, stop := startTracker(t, dir, "--listen", "127.0.0.1:0", "--token-file", "token")
	status := func(path, token string) int {
		r, err := http.NewRequest(http.MethodGet, url+path, nil)
		require.NoError(t, err)
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		res, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		return res.StatusCode
	}
	const experiment = "/api/2.0/mlflow/experiments/get?experiment_id=0"
	require.Equal(t, http.StatusOK, status("/health", ""))
	require.Equal(t, http.StatusUnauthorized, status(experiment, ""))
	require.Equal(t, http.StatusUnauthorized, status(experiment, "other"))
	require.Equal(t, http.StatusOK, status(experiment, "s3cret"))
	require.NoError(t, stop(), "SIGTERM ends it with status 0")
	require.NotContains(t, log(), "s3cret")
}

func TestTrackerBeyondLoopback(t *testing.T) {
	t.Parallel()
	url, log, _ := startTracker(t, t.TempDir(), "--listen", "0.0.0.0:0")
	require.Contains(t, log(), "without a token")
	require.Regexp(t, `^http://127\.0\.0\.1:\d+$`, url, "an address that can be dialled")
	require.Contains(t, log(), "tracker at "+url+" and this machine's other addresses, data in")
	res, err := http.Get(url + "/api/2.0/mlflow/experiments/get?experiment_id=0")
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusForbidden, res.StatusCode)
}

func TestTrackerMistakes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, _, stop := startTracker(t, dir, "--listen", "127.0.0.1:0", "--data", "data")
	r := &reader{t: t, dir: dir, replace: strings.NewReplacer()}
	for command, says := range map[string]string{
		"scanflow tracker --listen 127.0.0.1:0 --data data":     "in use by another process",
		"scanflow tracker --listen nowhere":                     "pass another address with --listen",
		"scanflow tracker --listen 127.0.0.1:0 --token-file no": "--token-file",
		"scanflow tracker data":                                 "unknown command",
		"scanflow tracker --log-level loud":                     "--log-level",
	} {
		out, err := r.shell(command).CombinedOutput()
		require.Error(t, err, command)
		require.Contains(t, string(out), says, command)
	}
	require.NoError(t, stop())
}

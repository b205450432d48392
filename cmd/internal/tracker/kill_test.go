package tracker

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// childServes serves a folder on a free port, which it prints, until it is killed or
// its input ends.
func childServes(dir string) error {
	t, err := Open(context.Background(), Options{Dir: dir})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, t.Close())
	}
	fmt.Println("http://" + l.Addr().String())
	web := &http.Server{Handler: t.Handler()}
	served := make(chan error, 1)
	go func() { served <- web.Serve(l) }()
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	return errors.Join(web.Close(), t.Close())
}

// child is a process that serves a folder.
type child struct {
	cmd *exec.Cmd
	url string
}

func serveChild(t *testing.T, dir string) *child {
	t.Helper()
	binary, err := os.Executable()
	require.NoError(t, err)
	if runtime.GOOS == "linux" {
		binary = "/proc/self/exe"
	}
	cmd := exec.CommandContext(t.Context(), binary, dir)
	cmd.Env = append(os.Environ(), childEnv+"=serve")
	cmd.Stderr = os.Stderr
	_, err = cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	url, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	return &child{cmd, strings.TrimSpace(url)}
}

func (c *child) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, c.cmd.Process.Kill())
	require.ErrorContains(t, c.cmd.Wait(), "killed")
}

// answered holds the writes that were answered with success, over all kills.
type answered struct {
	mu      sync.Mutex
	steps   map[string][]int64 // of a run: the steps of its metric
	files   map[string]string  // path: what it holds
	version int                // the newest version of the model
	count   int
}

// TestKilled kills a serving process again and again while clients write to it, and checks that
// every acknowledged write is stored.
func TestKilled(t *testing.T) {
	t.Parallel()
	kills := 12
	if os.Getenv("SCANFLOW_SOAK") != "" {
		kills = 300
	}
	const seed = 7
	random := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	all := &answered{steps: map[string][]int64{}, files: map[string]string{}}
	for range kills {
		c := serveChild(t, dir)
		verifyKilled(t, c.url, all)
		writeUntilKilled(t, c, all, 1+random.IntN(60))
	}
	last := serveChild(t, dir)
	verifyKilled(t, last.url, all)
	last.kill(t)
	t.Logf("%d kills, %d answers, %d runs, %d files, %d versions, seed %d", kills, all.count, len(all.steps), len(all.files), all.version, seed)
}

// writeUntilKilled runs clients that write, and kills the server after so many answers.
func writeUntilKilled(t *testing.T, c *child, all *answered, answers int) {
	t.Helper()
	killed := make(chan struct{})
	left := answers
	note := func(what func()) {
		all.mu.Lock()
		defer all.mu.Unlock()
		what()
		all.count++
		if left--; left == 0 {
			close(killed)
		}
	}
	var clients sync.WaitGroup
	for n := range 3 {
		clients.Go(func() {
			for round := 0; writeOnce(c.url, n, round, all, note) == nil; round++ {
			}
		})
	}
	<-killed
	c.kill(t)
	clients.Wait()
}

// writeOnce begins a run, logs to it, uploads a file and adds a version.
func writeOnce(url string, n, round int, all *answered, note func(func())) error {
	var created runAnswer
	if err := quick(url, http.MethodPost, api+"/runs/create", object{"run_name": "kill"}, &created); err != nil {
		return err
	}
	id := created.Run.Info.ID
	note(func() { all.steps[id] = nil })
	for step := range int64(5) {
		batch := object{"run_id": id, "metrics": listOf(object{"key": "m", "value": step, "timestamp": 1, "step": step}), "tags": listOf(object{"key": "last", "value": fmt.Sprint(step)})}
		if err := quick(url, http.MethodPost, api+"/runs/log-batch", batch, nil); err != nil {
			return err
		}
		note(func() { all.steps[id] = append(all.steps[id], step) })
	}
	path := fmt.Sprintf("/api/2.0/mlflow-artifacts/artifacts/0/%s/artifacts/part-%d/file", id, round)
	if err := quick(url, http.MethodPut, path, object{"of": id}, nil); err != nil {
		return err
	}
	note(func() { all.files[path] = `{"of":"` + id + `"}` })
	if n > 0 {
		return nil
	}
	if err := quick(url, http.MethodPost, api+"/registered-models/create", object{"name": "m"}, nil); err != nil && !strings.Contains(err.Error(), "already exists") {
		return err
	}
	var added struct {
		Version struct {
			Version int `json:"version,string"`
		} `json:"model_version"`
	}
	if err := quick(url, http.MethodPost, api+"/model-versions/create", object{"name": "m", "source": "runs:/" + id + "/m"}, &added); err != nil {
		return err
	}
	note(func() { all.version = added.Version.Version })
	return nil
}

// quick sends a request outside of a test's assertions, since it is expected to fail.
func quick(url, method, path string, body any, into any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequest(method, url+path, strings.NewReader(string(raw)))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		var e apiError
		return errors.Join(errors.New(res.Status), json.NewDecoder(res.Body).Decode(&e), &e)
	}
	if into == nil {
		into = &empty{}
	}
	return json.NewDecoder(res.Body).Decode(into)
}

func verifyKilled(t *testing.T, url string, all *answered) {
	t.Helper()
	c := &client{t, url}
	for id, steps := range all.steps {
		r := c.get("/runs/get?run_id=" + id)
		if len(steps) == 0 {
			continue
		}
		got := at(t, r, "run", "data", "metrics", 0, "step").(float64)
		require.GreaterOrEqual(t, got, float64(steps[len(steps)-1]), "a metric was lost")
		for _, g := range at(t, r, "run", "data", "tags").([]any) {
			if at(t, g, "key") == "last" {
				require.Equal(t, fmt.Sprint(got), at(t, g, "value"), "half a batch was kept")
			}
		}
		require.Len(t, at(t, c.get("/metrics/get-history?metric_key=m&run_id="+id), "metrics"), int(got)+1)
	}
	for path, want := range all.files {
		status, raw := c.raw(http.MethodGet, path, nil)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, want, raw)
	}
	if all.version > 0 {
		v := at(t, c.get("/registered-models/get?name=m"), "registered_model", "latest_versions", 0, "version").(string)
		require.GreaterOrEqual(t, atoi(t, v), all.version, "a version was lost")
	}
}

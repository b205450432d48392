package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
	"github.com/scanflow-k8s/scanflow/cmd/internal/tracker"
	"github.com/scanflow-k8s/scanflow/deploy"
	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

// workshop is a tracker, and what runs the workflows that ship.
type workshop struct {
	t       *testing.T
	uri     string
	client  *mlflow.Client
	runner  *workflow.Runner
	ended   chan workflow.Run
	runs    int
	workers map[string]workflow.Template
}

func newWorkshop(t *testing.T) *workshop {
	tr, err := tracker.Open(t.Context(), tracker.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	web := httptest.NewServer(tr.Handler())
	w := &workshop{t: t, uri: web.URL, ended: make(chan workflow.Run, 10), workers: map[string]workflow.Template{}}
	w.client, err = mlflow.New(mlflow.Options{URL: web.URL})
	require.NoError(t, err)
	self, err := binary()
	require.NoError(t, err)
	w.runner, err = workflow.New(workflow.Options{Dir: t.TempDir(), Self: self, KillWithParent: true, OnChange: func(r workflow.Run) {
		if !r.FinishedAt.IsZero() {
			w.ended <- r
		}
	}})
	require.NoError(t, err)
	w.runner.Start()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, w.runner.Close(ctx, workflow.StopAll))
		w.client.Close()
		web.Close()
		require.NoError(t, tr.Close())
	})
	raw, err := fs.ReadFile(deploy.FS, "modeldebug/workloads/workflows.yaml")
	require.NoError(t, err)
	for _, text := range bytes.Split(raw, []byte("\n---\n")) {
		var one workflow.Template
		require.NoError(t, yaml.UnmarshalStrict(text, &one))
		w.workers[one.Name] = one
	}
	return w
}

// run runs a workflow to its end.
func (w *workshop) run(name string, parameters map[string]string) {
	w.t.Helper()
	w.runs++
	parameters["tracking_uri"] = w.uri
	r, err := w.runner.Submit(workflow.Request{Namespace: "digits", Name: name + "-" + strconv.Itoa(w.runs), Identity: strconv.Itoa(w.runs), Template: w.workers[name], Parameters: parameters})
	require.NoError(w.t, err)
	select {
	case r = <-w.ended:
	case <-time.After(2 * time.Minute):
		require.Fail(w.t, "the workflow does not end")
	}
	if r.Phase != workflow.Succeeded {
		logs, _ := exec.Command("sh", "-c", "tail -n 20 $(find "+r.Folder+" -name '*log*' -type f)").CombinedOutput()
		require.Failf(w.t, "the workflow did not succeed", "%s: %s\n%s", r.Phase, r.Message, logs)
	}
}

// step is a command with the tracker in its environment.
func (w *workshop) step(args ...string) *exec.Cmd {
	c := command(w.t, append([]string{"digits"}, args...)...)
	c.Env = append(os.Environ(), "MLFLOW_TRACKING_URI="+w.uri)
	return c
}

// serving is a server of the Deployment that ships, as a process.
type serving struct {
	t   *testing.T
	cmd *exec.Cmd
	url string
	log bytes.Buffer
}

func (w *workshop) serve(model string) *serving {
	port := strconv.Itoa(freePort(w.t))
	s := &serving{t: w.t, cmd: w.step("serve", "--log-predictions=digits-predictions"), url: "http://" + net.JoinHostPort("127.0.0.1", port)}
	s.cmd.Env = append(s.cmd.Env, "MODEL_URI="+model, "PORT="+port)
	s.cmd.Stderr = &s.log
	require.NoError(w.t, s.cmd.Start())
	w.t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	require.Eventually(w.t, func() bool {
		res, err := http.Get(s.url + "/healthz")
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	}, 20*time.Second, 10*time.Millisecond)
	return s
}

// stop has it flush what it has predicted, and end.
func (s *serving) stop() {
	require.NoError(s.t, s.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(s.t, s.cmd.Wait(), s.log.String())
}

// predict sends an image with its label, and returns the version that answered and
// whether it was right.
func (s *serving) predict(img *digits.Image, label byte) (version string, right bool) {
	req, err := http.NewRequest(http.MethodPost, s.url+"/predict", bytes.NewReader(img[:]))
	require.NoError(s.t, err)
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set("X-Label", strconv.Itoa(int(label)))
	res, err := http.DefaultClient.Do(req)
	require.NoError(s.t, err)
	defer func() { _ = res.Body.Close() }()
	var r struct {
		Predictions []digits.Prediction `json:"predictions"`
		Version     string              `json:"model_version"`
	}
	require.NoError(s.t, json.NewDecoder(res.Body).Decode(&r))
	require.Len(s.t, r.Predictions, 1)
	return r.Version, r.Predictions[0].Class == int(label)
}

package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/cmd/cluster/workflowcontroller"
	"github.com/scanflow-k8s/scanflow/cmd/internal/demo"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/corrupt"
	"github.com/scanflow-k8s/scanflow/cmd/internal/load"
	"github.com/scanflow-k8s/scanflow/cmd/internal/tracker"
	"github.com/scanflow-k8s/scanflow/engine/mlflow"
	"github.com/scanflow-k8s/scanflow/sensors/promengine"
)

const (
	// debugSeed is that of digits, weights and arrivals.
	debugSeed = 1
	// debugRate is how many digits come each second.
	debugRate = 150
	// debugDigits is how many digits the first model is trained on: half of what the
	// manifests say, for the sake of the test's length.
	debugDigits = 3000
)

// debugged is S1 on a cluster of its own, from the files of deploy/modeldebug: the
// classifier in pods that are processes, an MLflow tracker, a Prometheus that scrapes
// the pods, what stands in for Argo's controller, and drifted digits that come in. The
// daemons are the test's to start.
type debugged struct {
	*stage
	agents     string // folder of the agents' manifests
	tracker    *mlflow.Client
	prometheus string
	front      *front
	service    string // URL of the classifier
	images     []digits.Image
	labels     []uint8
}

func newDebugged(t *testing.T) *debugged {
	t.Helper()
	s := &debugged{front: &front{}, agents: filepath.Join(t.TempDir(), "agents"), tracker: emptyTracker(t)}
	first := s.publish(t)
	c := testcluster.New(t)
	s.stage = &stage{t: t, cluster: c, namespace: "digits"}
	c.InstallCRDs(t, "agents", "ledgers", "workflow", "workflowtemplate")
	c.ProcessNodes(t, "node-a", "node-b")
	c.Apply(t, "{apiVersion: v1, kind: Namespace, metadata: {name: digits}}")
	s.runWorkflows()
	s.openFront()
	s.draw()

	workloads := filepath.Join(t.TempDir(), "workloads")
	require.NoError(t, demo.DebugFiles{Tracker: s.tracker.URL(), Seed: debugSeed}.WriteFiles(s.agents, workloads))
	require.NoError(t, <-first)
	c.Apply(t, strings.Replace(inFolder(t, workloads), `{name: count, value: "6000"`, fmt.Sprintf("{name: count, value: %q", fmt.Sprint(debugDigits)), 1))
	require.Eventually(t, func() bool { return s.front.pick() != "" }, time.Minute, 50*time.Millisecond, "the classifier serves")
	return s
}

// inFolder is the text of all files of a folder, as one YAML stream.
func inFolder(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	var all strings.Builder
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		fmt.Fprintf(&all, "---\n%s\n", raw)
	}
	return all.String()
}

// emptyTracker is an empty tracker, until the test ends.
func emptyTracker(t *testing.T) *mlflow.Client {
	t.Helper()
	track, err := tracker.Open(t.Context(), tracker.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	api := httptest.NewServer(track.Handler())
	client, err := mlflow.New(mlflow.Options{URL: api.URL})
	require.NoError(t, err)
	t.Cleanup(func() {
		client.Close()
		api.CloseClientConnections()
		api.Close()
		require.NoError(t, track.Close())
	})
	return client
}

// publish trains the first model and puts it into production, while the cluster boots.
func (s *debugged) publish(t *testing.T) <-chan error {
	c := command(t, "digits", "publish", "--seed", fmt.Sprint(debugSeed), "--count", fmt.Sprint(debugDigits))
	c.Env = append(os.Environ(), "MLFLOW_TRACKING_URI="+s.tracker.URL())
	done := make(chan error, 1)
	go func() { done <- run1(c) }()
	t.Cleanup(func() {
		if c.Process != nil {
			_ = c.Process.Kill()
		}
	})
	return done
}

// run1 runs a program to its end; the error has what it said.
func run1(c *exec.Cmd) error {
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(c.Args, " "), err, out)
	}
	return nil
}

// background runs something until the test ends.
func (s *debugged) background(do func(ctx context.Context)) {
	ctx, stop := context.WithCancel(context.Background())
	var task sync.WaitGroup
	task.Go(func() { do(ctx) })
	s.t.Cleanup(func() { stop(); task.Wait() })
}

func (s *debugged) runWorkflows() {
	self, err := binary()
	require.NoError(s.t, err)
	dir := s.t.TempDir()
	s.background(func(ctx context.Context) {
		if err := workflowcontroller.Run(ctx, workflowcontroller.Options{Client: s.cluster.Client(), Namespace: s.namespace, Dir: dir, Self: self, KillWithParent: true}); err != nil {
			s.t.Errorf("run workflows: %v", err)
		}
	})
}

// openFront has the pods scraped, and requests go to those that are ready.
func (s *debugged) openFront() {
	prom, err := promengine.Open(promengine.Options{ScrapeInterval: 500 * time.Millisecond})
	require.NoError(s.t, err)
	api := httptest.NewServer(prom.Handler())
	service := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: s.front.pick()}) },
	})
	s.prometheus, s.service = api.URL, service.URL
	s.t.Cleanup(func() {
		service.Close()
		api.Close()
		require.NoError(s.t, prom.Close())
	})
	s.background(func(ctx context.Context) { s.front.follow(ctx, s.t, s.cluster, prom) })
}

// draw makes the digits that come in: none that a model was trained or compared on.
func (s *debugged) draw() {
	r, err := digits.NewRenderer(digits.DefaultStyle())
	require.NoError(s.t, err)
	set := r.Set(4000, debugSeed+1000)
	drift := &corrupt.Drift{Mix: corrupt.DefaultMix(), Seed: debugSeed}
	for i := range set.Images {
		img, _ := drift.Apply(&set.Images[i], i)
		s.images = append(s.images, img)
	}
	s.labels = set.Labels
}

// perform has drifted digits come in, each with its label as feedback that comes later
// would bring it. The result comes once stop was called.
func (s *debugged) perform() (stop func() *load.Result) {
	generator, err := load.New(load.Options{
		URL: s.service + "/predict", Seed: debugSeed, Phases: []load.Phase{{Name: "digits", Duration: time.Hour, Rate: debugRate}},
		Body: func(n int) (string, []byte) {
			return "application/octet-stream", s.images[n%len(s.images)][:]
		},
		Header: func(n int) map[string]string {
			return map[string]string{"X-Label": fmt.Sprint(s.labels[n%len(s.labels)])}
		},
	})
	require.NoError(s.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan *load.Result, 1)
	go func() {
		result, _ := generator.Run(ctx) // it ends with the context
		ended <- result
	}()
	s.t.Cleanup(cancel)
	return func() *load.Result { cancel(); return <-ended }
}

// workflows are the runs of a template.
func (s *debugged) workflows(template string) (out []unstructured.Unstructured) {
	for _, o := range s.list(workflowsResource) {
		if fieldIn(o.Object, "spec", "workflowTemplateRef", "name") == template {
			out = append(out, o)
		}
	}
	return out
}

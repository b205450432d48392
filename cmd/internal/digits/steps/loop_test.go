package steps_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/corrupt"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/predictionlog"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/registry"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/samples"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/steps"
	"github.com/scanflow-k8s/scanflow/cmd/internal/tracker"
	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

// world is a tracker, and the steps against it.
type world struct {
	*steps.Steps
	t      *testing.T
	out    bytes.Buffer
	served int              // digits of the stream so far
	clock  func() time.Time // of the server
}

func newWorld(t *testing.T) *world {
	tr, err := tracker.Open(t.Context(), tracker.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	web := httptest.NewServer(tr.Handler())
	c, err := mlflow.New(mlflow.Options{URL: web.URL})
	require.NoError(t, err)
	t.Cleanup(func() {
		c.Close()
		web.Close()
		require.NoError(t, tr.Close())
	})
	w := &world{t: t, clock: time.Now}
	w.Steps = &steps.Steps{
		Client: c, Model: steps.DefaultModel, Predictions: steps.DefaultPredictions, Critical: steps.DefaultCritical, Training: steps.DefaultTraining,
		Now: time.Now, Out: &w.out,
	}
	return w
}

// serve has the model in production classify the next digits of a stream, all of
// which are labelled, and logs that as a server does. It returns the accuracy.
func (w *world) serve(stream digits.Set, drift corrupt.Drift, n int) float64 {
	v, err := registry.Find(w.t.Context(), w.Client, "models:/digits@production")
	require.NoError(w.t, err)
	m, err := registry.Load(w.t.Context(), w.Client, v)
	require.NoError(w.t, err)
	l, err := predictionlog.Start(predictionlog.Options{Client: w.Client, Experiment: w.Predictions, Model: v.Version, Queue: n, Now: w.clock})
	require.NoError(w.t, err)
	right := 0
	for range n {
		at := w.served % stream.Len()
		img, _ := drift.Apply(&stream.Images[at], w.served)
		p := m.Predict(&img)
		if p.Class == int(stream.Labels[at]) {
			right++
		}
		l.Record(&img, p, int(stream.Labels[at]))
		w.served++
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	require.NoError(w.t, l.Close(ctx))
	return float64(right) / float64(n)
}

// detect does what the workflow of that name does, and returns how much of what it
// scored was critical.
func (w *world) detect(p steps.Picking) float64 {
	p.Until = time.Now()
	all, err := w.LoadPredictions(w.t.Context(), p.Until)
	require.NoError(w.t, err)
	require.NoError(w.t, w.Detect(w.t.Context(), all))
	require.NoError(w.t, w.Pick(w.t.Context(), all, p))
	runs := w.runs(w.Critical, fmt.Sprintf("params.until_ms = '%d'", p.Until.UnixMilli()))
	require.Len(w.t, runs, 1)
	return runs[0].Metrics["above"] / runs[0].Metrics["scored"]
}

// run is the run of a version.
func (w *world) run(version string) mlflow.Run {
	v, err := w.Client.Version(w.t.Context(), w.Model, version)
	require.NoError(w.t, err)
	r, err := w.Client.Run(w.t.Context(), v.RunID)
	require.NoError(w.t, err)
	return r
}

// round is a line of the curve.
type round struct {
	live, before, after, clean float64
	critical                   float64 // of what was scored, that part
	size                       string
	took                       time.Duration
}

// shipped has the options of the shipped workflow detect.
var shipped = steps.Picking{Threshold: steps.DefaultThreshold, Most: steps.DefaultMost}

// share is the share of critical samples from which a training is requested: the
// param of that name in deploy/modeldebug/agents/checker.yaml.
const share = 0.1

// curve has a model live through a drift: it is published, and then three times serves
// 2,000 digits that drift, is checked twice, trained on what was picked, measured and
// promoted.
func curve(t *testing.T, source digits.Source) (published, quiet float64, rounds []round) {
	w := newWorld(t)
	parts, err := source.Load()
	require.NoError(t, err)
	_, err = w.Publish(t.Context(), parts, source.Seed)
	require.NoError(t, err)
	published = w.run("1").Metrics[steps.Accuracy]
	w.serve(parts.Stream, corrupt.Drift{}, 1000)
	quiet = w.detect(shipped)
	drift := corrupt.Drift{Mix: corrupt.DefaultMix(), Seed: source.Seed}
	for n := range 3 {
		var r round
		for range 2 {
			r.live += w.serve(parts.Stream, drift, 1000) / 2
			r.critical += w.detect(shipped) / 2
		}
		began := time.Now()
		picked, err := w.LoadPicked(t.Context())
		require.NoError(t, err)
		c, err := w.Train(t.Context(), steps.Lesson{Base: parts.Base, Picked: samples.Labelled(picked), Test: parts.Held, Seed: source.Seed})
		require.NoError(t, err)
		r.took = time.Since(began)
		require.NoError(t, w.Evaluate(t.Context(), c, steps.HeldOut(parts.Held, drift.Mix, source.Seed)))
		production, candidate := w.run(strconv.Itoa(n+1)), w.run(c.Version)
		r.before, r.after, r.clean = production.Metrics[steps.Accuracy], candidate.Metrics[steps.Accuracy], candidate.Metrics[steps.AccuracyClean]
		r.size = candidate.Params["train_size"]
		rounds = append(rounds, r)
		require.NoError(t, w.Client.SetAlias(t.Context(), w.Model, steps.Production, c.Version))
	}
	return published, quiet, rounds
}

// On MNIST's own files where SCANFLOW_MNIST names their folder, else on rendered
// digits; in its long form on both, with five seeds.
func TestEachRoundWinsBackMoreOfWhatTheDriftHadCost(t *testing.T) {
	folders, seeds := []string{os.Getenv("SCANFLOW_MNIST")}, 1
	if os.Getenv("SCANFLOW_SOAK") != "" {
		seeds = 5
		if folders[0] != "" {
			folders = append(folders, "")
		}
	}
	for _, folder := range folders {
		name := "rendered"
		if folder != "" {
			name = "IDX files"
		}
		for seed := 1; seed <= seeds; seed++ {
			t.Run(fmt.Sprintf("%s, seed %d", name, seed), func(t *testing.T) {
				published, quiet, rounds := curve(t, digits.Source{Folder: folder, Seed: uint64(seed)})
				cost := published - rounds[0].before
				t.Logf("published with %.4f, %.3f critical of what has not drifted, the drift costs %.3f", published, quiet, cost)
				require.Greater(t, cost, 0.1)
				require.Less(t, quiet, share, "nothing is to be learnt of what has not drifted")
				for _, r := range rounds {
					t.Logf("train size %s: critical %.3f, live %.3f, held out %.4f -> %.4f, clean %.4f, trained in %s, won back %.2f",
						r.size, r.critical, r.live, r.before, r.after, r.clean, r.took.Round(100*time.Millisecond), 1-(published-r.after)/cost)
					require.GreaterOrEqual(t, r.critical, share, "a round must be asked for")
					require.Greater(t, r.after, r.before+0.005, "a round must be better than the one before by what a planner asks for")
					require.Greater(t, r.clean, published-0.01, "nothing is forgotten")
				}
				require.GreaterOrEqual(t, rounds[len(rounds)-1].after, published-cost/5, "four fifths must be won back")
			})
		}
	}
}

package mlflowtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/mlflow"
	"github.com/scanflow-k8s/scanflow/sensors"
)

func (w *world) sensor(c *sensors.MLflowConfig) engine.Sensor {
	w.t.Helper()
	s, err := sensors.Kinds["mlflow"].New(c, sensors.Env{MLflow: w.url})
	require.NoError(w.t, err)
	return s
}

func (w *world) sample(s engine.Sensor, fleet ...engine.Target) engine.Reading {
	w.t.Helper()
	got, err := s.Sample(w.ctx(), w.clock.Now(), fleet)
	require.NoError(w.t, err)
	require.Len(w.t, got, len(fleet))
	return got
}

func target(name string, labels ...string) engine.Target {
	t := engine.Target{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "ns", Name: name, Labels: map[string]string{}}
	for i := 0; i < len(labels); i += 2 {
		t.Labels[labels[i]] = labels[i+1]
	}
	return t
}

// Policies get no infinite numbers: an infinite value has the state nan, and an infinite field of
// an object is omitted.
func TestSensorOfInfiniteMetrics(t *testing.T) {
	w := newWorld(t)
	for i, v := range []float64{math.MaxFloat64, -math.MaxFloat64, math.Inf(1), math.Inf(-1), math.NaN()} {
		experiment := fmt.Sprintf("e%d", i)
		r := w.run(experiment, "r", map[string]float64{"loss": v, "steps": 3}, map[string]string{"rate": "inf"}, nil)
		of := func(c sensors.MLflowRuns) engine.Signal {
			c.Experiment = experiment
			return w.sample(w.sensor(&sensors.MLflowConfig{Runs: &c}), target("a"))[0]
		}
		said := []string{"+Inf", "-Inf", "+Inf", "-Inf", "NaN"}[i]
		for take, problem := range map[string]string{"metric": `metric "loss" of run ` + r.ID + " is " + said, "sum": `the sum of metric "loss" is ` + said} {
			got := of(sensors.MLflowRuns{Take: take, Of: "loss"})
			require.Equal(t, engine.NaN, got.State)
			require.Nil(t, got.Value)
			require.Equal(t, problem, got.Problem)
		}
		got := of(sensors.MLflowRuns{Take: "run"})
		require.Equal(t, engine.OK, got.State)
		require.Equal(t, map[string]any{"steps": 3.0}, got.Value.(map[string]any)["metrics"])
		require.Equal(t, engine.NaN, of(sensors.MLflowRuns{Take: "param", Of: "rate", Type: "number"}).State)
		require.Equal(t, 1.0, of(sensors.MLflowRuns{Take: "count"}).Value)
	}
}

func TestSensorOfRuns(t *testing.T) {
	w := newWorld(t)
	w.run("batches", "one", map[string]float64{"predictions": 500, "confidence": 0.9}, map[string]string{"until_ms": "1000"}, map[string]string{"app": "digits"})
	w.run("batches", "two", map[string]float64{"predictions": 250}, map[string]string{"until_ms": "soon"}, map[string]string{"app": "other"})
	last := w.run("batches", "three", map[string]float64{"confidence": 0.5}, map[string]string{"until_ms": "3000"}, map[string]string{"app": "digits"})
	id, err := w.c.EnsureExperiment(w.ctx(), "batches")
	require.NoError(t, err)
	require.NoError(t, w.c.SetRunTag(w.ctx(), last.ID, "mlflow.log-model.history", "[...]"))
	_, err = w.c.EnsureExperiment(w.ctx(), "quiet")
	require.NoError(t, err)
	w.clock.Advance(time.Minute)
	now := w.clock.Now()
	counted := func(v float64) engine.Signal { return engine.Signal{State: engine.OK, Value: v, At: now} }
	measured := func(v any) engine.Signal { return engine.Signal{State: engine.OK, Value: v, At: last.End} }
	empty := func(problem string, args ...any) engine.Signal {
		return engine.Signal{State: engine.Empty, Problem: fmt.Sprintf(problem, args...)}
	}
	oldest := []string{"attributes.start_time ASC"}
	for name, row := range map[string]struct {
		runs sensors.MLflowRuns
		want engine.Signal
	}{
		"sum":                         {sensors.MLflowRuns{Take: "sum", Of: "predictions"}, counted(750)},
		"sum of what few have":        {sensors.MLflowRuns{Take: "sum", Of: "confidence"}, counted(0.9 + 0.5)},
		"sum of what none has":        {sensors.MLflowRuns{Take: "sum", Of: "x"}, counted(0)},
		"sum of some":                 {sensors.MLflowRuns{Take: "sum", Of: "predictions", Filter: "tags.app = 'digits'"}, counted(500)},
		"sum of no runs":              {sensors.MLflowRuns{Experiment: "quiet", Take: "sum", Of: "predictions"}, counted(0)},
		"sum without an experiment":   {sensors.MLflowRuns{Experiment: "none", Take: "sum", Of: "x"}, empty(`there is no experiment "none"`)},
		"count":                       {sensors.MLflowRuns{Take: "count"}, counted(3)},
		"count of some":               {sensors.MLflowRuns{Take: "count", Filter: "metrics.predictions > 300"}, counted(1)},
		"count of no runs":            {sensors.MLflowRuns{Experiment: "quiet", Take: "count"}, counted(0)},
		"count without an experiment": {sensors.MLflowRuns{Experiment: "none", Take: "count"}, empty(`there is no experiment "none"`)},
		"metric of the latest":        {sensors.MLflowRuns{Take: "metric", Of: "confidence"}, measured(0.5)},
		"metric it has not":           {sensors.MLflowRuns{Take: "metric", Of: "predictions"}, empty(`run %s has no metric "predictions"`, last.ID)},
		"metric of the best":          {sensors.MLflowRuns{Take: "metric", Of: "predictions", OrderBy: []string{"metrics.confidence DESC"}}, engine.Signal{State: engine.OK, Value: 500.0, At: start.Add(2 * time.Second)}},
		"metric of no run":            {sensors.MLflowRuns{Take: "metric", Of: "confidence", Filter: "metrics.confidence > 1"}, empty(`no run of experiment "batches" matches`)},
		"param":                       {sensors.MLflowRuns{Take: "param", Of: "until_ms"}, measured("3000")},
		"param as a number":           {sensors.MLflowRuns{Take: "param", Of: "until_ms", Type: "number"}, measured(3000.0)},
		"tag":                         {sensors.MLflowRuns{Take: "tag", Of: "app"}, measured("digits")},
		"tag it has not":              {sensors.MLflowRuns{Take: "tag", Of: "x"}, empty(`run %s has no tag "x"`, last.ID)},
		"whole run": {sensors.MLflowRuns{Take: "run"}, measured(map[string]any{
			"run_id": last.ID, "name": "three", "status": "FINISHED", "start_ns": float64(last.Start.UnixNano()), "end_ns": float64(last.End.UnixNano()),
			"metrics": map[string]any{"confidence": 0.5}, "params": map[string]any{"until_ms": "3000"}, "tags": map[string]any{"app": "digits"},
		})},
		"no run": {sensors.MLflowRuns{Take: "run", Filter: "tags.app = 'x'"}, empty(`no run of experiment "batches" matches`)},
	} {
		t.Run(name, func(t *testing.T) {
			if row.runs.Experiment == "" {
				row.runs.Experiment = "batches"
			}
			got := w.sample(w.sensor(&sensors.MLflowConfig{Runs: &row.runs}), target("digits"), target("other"))
			for i := range got {
				require.Empty(t, cmp.Diff(row.want, got[i]))
			}
		})
	}

	// Defect 1 of the published system: a text is never read as a number.
	text := w.sample(w.sensor(&sensors.MLflowConfig{Runs: &sensors.MLflowRuns{Experiment: "batches", Take: "param", Of: "until_ms", Type: "number", OrderBy: oldest, Filter: "tags.app = 'other'"}}), target("digits"))[0]
	require.Equal(t, engine.Error, text.State)
	require.Contains(t, text.Problem, "is no number")
	require.NotContains(t, text.Problem, "soon", "a param may hold anything")

	running, err := w.c.CreateRun(w.ctx(), id, "four", nil, w.clock.Now())
	require.NoError(t, err)
	got := w.sample(w.sensor(&sensors.MLflowConfig{Runs: &sensors.MLflowRuns{Experiment: "batches", Take: "run"}}), target("digits"))[0]
	require.Equal(t, now, got.At, "it goes on")
	value := got.Value.(map[string]any)
	require.Equal(t, running.ID, value["run_id"])
	require.NotContains(t, value, "end_ns")
}

func TestSensorOfAModel(t *testing.T) {
	w := newWorld(t)
	w.versions("digits", 3)
	w.alias("digits", "production", "2")
	w.alias("digits", "canary", "2")
	require.NoError(t, w.c.SetVersionTag(w.ctx(), "digits", "2", "by", "planner"))
	require.NoError(t, w.c.TransitionStage(w.ctx(), "digits", "1", mlflow.StageProduction, false))
	require.NoError(t, w.c.EnsureModel(w.ctx(), "empty"))
	version := func(c sensors.MLflowModel) engine.Signal {
		t.Helper()
		return w.sample(w.sensor(&sensors.MLflowConfig{Model: &c}), target("digits", "version", "3"))[0]
	}
	two, err := w.c.Version(w.ctx(), "digits", "2")
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(engine.Signal{State: engine.OK, At: w.clock.Now(), Value: map[string]any{
		"model": "digits", "version": "2", "run_id": two.RunID, "source": "runs:/" + two.RunID + "/model", "stage": "None", "aliases": []any{"canary", "production"},
		"tags": map[string]any{"by": "planner"}, "created_ns": float64(two.Created.UnixNano()), "metrics": map[string]any{"accuracy": 0.9}, "params": map[string]any{},
	}}, version(sensors.MLflowModel{Name: "{name}", Alias: "production"})))
	for want, m := range map[string]sensors.MLflowModel{
		"1": {Name: "digits", Stage: "Production"}, "2": {Name: "digits", Version: "2"}, "3": {Name: "digits", Latest: true},
	} {
		require.Equal(t, want, version(m).Value.(map[string]any)["version"])
	}
	require.Equal(t, "3", version(sensors.MLflowModel{Name: "digits", Version: "{label:version}"}).Value.(map[string]any)["version"])

	for name, m := range map[string]sensors.MLflowModel{
		"no such alias": {Name: "digits", Alias: "previous"}, "no such model": {Name: "nobody's", Latest: true}, "no such version": {Name: "digits", Version: "9"},
		"no version": {Name: "empty", Latest: true}, "none in the stage": {Name: "digits", Stage: "Staging"},
	} {
		got := version(m)
		require.Equal(t, engine.Empty, got.State, name)
		require.NotEmpty(t, got.Problem, name)
	}

	w.setFault(noAliases)
	require.Equal(t, "1", version(sensors.MLflowModel{Name: "digits", Alias: "production"}).Value.(map[string]any)["version"], "the stage stands for it")
	_, err = w.sensor(&sensors.MLflowConfig{Model: &sensors.MLflowModel{Name: "digits", Alias: "champion"}}).Sample(w.ctx(), start, []engine.Target{target("digits")})
	require.ErrorContains(t, err, "no stage is called champion")
}

// A version without a run has no metrics, and can still be read.
func TestSensorOfAModelWhoseRunIsGone(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.c.EnsureModel(w.ctx(), "bought"))
	_, err := w.c.CreateVersion(w.ctx(), "bought", "https://me:s3cret@store/model?sig=s3cret", "", nil)
	require.NoError(t, err)
	got := w.sample(w.sensor(&sensors.MLflowConfig{Model: &sensors.MLflowModel{Name: "bought", Latest: true}}), target("x"))[0]
	value := got.Value.(map[string]any)
	require.Equal(t, map[string]any{}, value["metrics"])
	require.Equal(t, "https://store/model", value["source"], "no secret in a document")
}

// Never 9: one request per distinct query, not per target.
func TestSensorAsksEachQuestionOnce(t *testing.T) {
	w := newWorld(t)
	for _, app := range []string{"a", "b"} {
		w.run("batches-"+app, "x", map[string]float64{"n": 1}, nil, map[string]string{"app": app})
	}
	var fleet []engine.Target
	for i := range 50 {
		fleet = append(fleet, target(fmt.Sprint("t", i), "app", string(rune('a'+i%3))))
	}
	fleet = append(fleet, target("bare"), target("odd", "app", "a' or 'x' = 'x"))
	runs := func(experiment, filter string) engine.Sensor {
		return w.sensor(&sensors.MLflowConfig{Runs: &sensors.MLflowRuns{Experiment: experiment, Filter: filter, Take: "count"}})
	}
	w.requests()

	w.sample(runs("batches-a", ""), fleet...)
	require.Equal(t, []string{"GET experiments/get-by-name", "POST runs/search"}, w.requests())

	got := w.sample(runs("batches-{label:app}", "tags.app = '{label:app}'"), fleet...)
	require.Len(t, w.requests(), 5, "three experiments, of which one is not there")
	for i, s := range got[:50] {
		want := engine.OK
		if i%3 == 2 {
			want = engine.Empty
		}
		require.Equal(t, want, s.State, "%d: %s", i, s.Problem)
	}
	require.Equal(t, engine.Signal{State: engine.Error, Problem: "the target has no label app"}, got[50])
	require.Equal(t, engine.Error, got[51].State, "it would change the filter")
	require.Contains(t, got[51].Problem, "can't stand in a filter")

	// A request that fails affects only its own targets.
	w.setFault(func(out http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		fails := r.URL.Query().Get("experiment_name") == "batches-b"
		if fails {
			out.WriteHeader(http.StatusInternalServerError)
		}
		return fails
	})
	got = w.sample(runs("batches-{label:app}", ""), fleet...)
	require.Equal(t, []engine.State{engine.OK, engine.Error, engine.Empty}, []engine.State{got[0].State, got[1].State, got[2].State})
	require.Contains(t, got[1].Problem, "answered 500")
}

// A run that begins while the pages are read must be neither missed nor counted twice: an engine
// that counts from a baseline would take a decrease for a reset.
func TestSensorSumsOverPagesWhileRunsBegin(t *testing.T) {
	w := newWorld(t)
	id := w.many(25)
	pages := 0
	w.setFault(func(_ http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if !strings.HasSuffix(r.URL.Path, "/runs/search") {
			return false
		}
		ask := map[string]any{}
		if err := json.NewDecoder(r.Body).Decode(&ask); err != nil {
			t.Error(err)
		}
		ask["max_results"] = 10 // small pages
		raw, _ := json.Marshal(ask)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
		if pages++; pages == 2 {
			w.clock.Advance(time.Second)
			if _, err := w.c.CreateRun(w.ctx(), id, "late", nil, w.clock.Now()); err != nil {
				t.Error(err)
			}
		}
		return false
	})
	sum := w.sensor(&sensors.MLflowConfig{Runs: &sensors.MLflowRuns{Experiment: "many", Take: "sum", Of: "predictions"}})
	require.Equal(t, 2500.0, w.sample(sum, target("digits"))[0].Value)
	require.Equal(t, 3, pages)
	count := w.sensor(&sensors.MLflowConfig{Runs: &sensors.MLflowRuns{Experiment: "many", Take: "count"}})
	require.Equal(t, 26.0, w.sample(count, target("digits"))[0].Value)
}

// many creates runs with 100 predictions each.
func (w *world) many(n int) (experimentID string) {
	w.t.Helper()
	id, err := w.c.EnsureExperiment(w.ctx(), "many")
	require.NoError(w.t, err)
	for i := range n {
		w.clock.Advance(time.Millisecond)
		run, err := w.c.CreateRun(w.ctx(), id, fmt.Sprint("batch-", i), map[string]string{"app": "digits"}, w.clock.Now())
		require.NoError(w.t, err)
		require.NoError(w.t, w.c.LogBatch(w.ctx(), run.ID, []mlflow.Metric{{Key: "predictions", Value: 100, At: w.clock.Now()}, {Key: "mean_confidence", Value: 0.5, At: w.clock.Now()}}, nil, nil))
		require.NoError(w.t, w.c.EndRun(w.ctx(), run.ID, mlflow.Finished, w.clock.Now()))
	}
	return id
}

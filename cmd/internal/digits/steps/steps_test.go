package steps_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/corrupt"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/predictionlog"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/registry"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/samples"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/steps"
	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

// small is little to learn, for tests that are about something else.
func small(t *testing.T) digits.Parts {
	parts, err := digits.Source{Seed: 1, Count: 400}.Load()
	require.NoError(t, err)
	parts.Held = parts.Held.Slice(0, 200)
	return parts
}

func (w *world) publish(parts digits.Parts) {
	_, err := w.Publish(w.t.Context(), parts, 1)
	require.NoError(w.t, err)
}

// runs are those of an experiment, oldest first.
func (w *world) runs(experiment, filter string) []mlflow.Run {
	ids, err := w.Client.Experiments(w.t.Context(), []string{experiment})
	require.NoError(w.t, err)
	runs, err := w.Client.SearchRuns(w.t.Context(), mlflow.Search{ExperimentIDs: []string{ids[experiment]}, Filter: filter, OrderBy: []string{"attributes.start_time ASC"}})
	require.NoError(w.t, err)
	return runs
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func write(t *testing.T, file, text string) {
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
}

func ids(all []samples.Sample) (out []string) {
	for _, x := range all {
		out = append(out, x.ID)
	}
	return out
}

func (w *world) load(until time.Time) []samples.Sample {
	all, err := w.LoadPredictions(w.t.Context(), until)
	require.NoError(w.t, err)
	return all
}

func TestPublishPutsAFirstVersionIntoProductionOnce(t *testing.T) {
	w := newWorld(t)
	parts := small(t)
	w.publish(parts)
	v, err := registry.Find(t.Context(), w.Client, "models:/digits@production")
	require.NoError(t, err)
	require.Equal(t, "1", v.Version)
	r := w.run("1")
	require.Equal(t, mlflow.Finished, r.Status)
	require.Equal(t, map[string]string{"round": "0", "train_size": "400", "base_size": "400", "picked_size": "0", "seed": "1", "epochs": "10", "hidden": "256", "source": "rendered"}, r.Params)
	require.Equal(t, "true", r.Tags[steps.EvaluatedTag])
	require.Equal(t, 200.0, r.Metrics[steps.HeldOutCount])
	require.Equal(t, r.Metrics[steps.AccuracyClean], r.Metrics[steps.Accuracy])
	m, err := registry.Load(t.Context(), w.Client, v)
	require.NoError(t, err)
	e, err := digits.Evaluate(m, parts.Held)
	require.NoError(t, err)
	require.Equal(t, e.Accuracy, r.Metrics[steps.Accuracy])
	require.Contains(t, r.Metrics, "loss")

	w.publish(parts)
	require.Contains(t, w.out.String(), "digits version 1 is in production already")
	require.Len(t, w.runs(w.Training, ""), 1)

	// A version that an interrupted attempt registered is used.
	require.NoError(t, w.Client.DeleteAlias(t.Context(), w.Model, steps.Production))
	w.publish(parts)
	v, err = registry.Find(t.Context(), w.Client, "models:/digits@production")
	require.NoError(t, err)
	require.Equal(t, "1", v.Version)
}

func TestEachPredictionIsScoredByOneDetection(t *testing.T) {
	w := newWorld(t)
	parts := small(t)
	w.publish(parts)
	require.Empty(t, w.load(time.Now()), "before a server has logged any")
	until := time.Now().Add(-time.Second)
	w.clock = func() time.Time { return until }
	w.serve(parts.Stream, corrupt.Drift{}, 250)
	w.clock = time.Now
	w.serve(parts.Stream, corrupt.Drift{}, 100)
	first := w.load(until)
	require.Len(t, first, 250)
	require.Equal(t, ids(first), ids(w.load(until)), "until a detection has ended well they are loaded again")
	require.NoError(t, w.Detect(t.Context(), first))
	require.NoError(t, w.Pick(t.Context(), first, steps.Picking{Until: until, Threshold: 0.4, Most: 20}))
	rest := w.load(time.Now())
	require.Len(t, rest, 100)
	for _, id := range ids(rest) {
		require.NotContains(t, ids(first), id)
	}
	require.Zero(t, rest[0].Score)

	r := w.runs(w.Critical, "")
	require.Len(t, r, 1)
	require.Equal(t, mlflow.Finished, r[0].Status)
	require.Equal(t, 250.0, r[0].Metrics["scored"])
	require.Equal(t, 250.0, r[0].Metrics["labelled"])
	require.Equal(t, map[string]string{"until_ms": itoa(until.UnixMilli()), "threshold": "0.4", "most": "20"}, r[0].Params)
	picked, err := w.LoadPicked(t.Context())
	require.NoError(t, err)
	require.Len(t, picked, int(r[0].Metrics["critical"]))
	require.LessOrEqual(t, len(picked), 20)

	// A batch that was logged late, by a clock that is behind, is not lost.
	l, err := predictionlog.Start(predictionlog.Options{Client: w.Client, Experiment: w.Predictions, Now: func() time.Time { return until.Add(-time.Minute) }})
	require.NoError(t, err)
	l.Record(&parts.Stream.Images[0], digits.Prediction{}, 3)
	require.NoError(t, l.Close(t.Context()))
	require.Len(t, w.load(time.Now()), 101)
}

func TestABatchThatIsNotFinishedOrGoneIsLeftOut(t *testing.T) {
	w := newWorld(t)
	parts := small(t)
	w.publish(parts)
	w.serve(parts.Stream, corrupt.Drift{}, 100)
	id, err := w.Client.EnsureExperiment(t.Context(), w.Predictions)
	require.NoError(t, err)
	_, err = w.Client.CreateRun(t.Context(), id, "half", nil, time.Now())
	require.NoError(t, err)
	empty, err := w.Client.CreateRun(t.Context(), id, "tidied up", nil, time.Now())
	require.NoError(t, err)
	require.NoError(t, w.Client.EndRun(t.Context(), empty.ID, mlflow.Finished, time.Now()))
	require.Len(t, w.load(time.Now().Add(time.Second)), 100)
	require.Contains(t, w.out.String(), "run "+empty.ID+" has no predictions any more")
}

// A step that is tried again, however far it had come, picks nothing twice.
func TestPickingTwiceIsPickingOnce(t *testing.T) {
	w := newWorld(t)
	parts := small(t)
	w.publish(parts)
	w.serve(parts.Stream, corrupt.Drift{}, 100)
	until := time.Now()
	all := w.load(until)
	for i := range all {
		all[i].Score = 0.9
	}
	all[7].Label = digits.NoClass
	how := steps.Picking{Until: until, Threshold: 0.5, Most: 1000}
	// An attempt that was cut off has left a run behind.
	id, err := w.Client.EnsureExperiment(t.Context(), w.Critical)
	require.NoError(t, err)
	begun, err := w.Client.CreateRun(t.Context(), id, "detection", nil, time.Now())
	require.NoError(t, err)
	require.NoError(t, w.Client.LogBatch(t.Context(), begun.ID, nil, map[string]string{"until_ms": itoa(until.UnixMilli())}, nil))
	for range 3 {
		require.NoError(t, w.Pick(t.Context(), all, how))
	}
	r := w.runs(w.Critical, "")
	require.Len(t, r, 1)
	require.Equal(t, begun.ID, r[0].ID)
	require.Equal(t, 99.0, r[0].Metrics["critical"], "what nobody has labelled can't be learnt from")
	require.Equal(t, 100.0, r[0].Metrics["above"])

	// The same samples again, as a detection up to another time: they are another's.
	how.Until = until.Add(time.Second)
	require.NoError(t, w.Pick(t.Context(), all, how))
	r = w.runs(w.Critical, "")
	require.Len(t, r, 2)
	require.Equal(t, 0.0, r[1].Metrics["scored"])
	require.Equal(t, 0.0, r[1].Metrics["critical"])
	require.NotContains(t, r[1].Metrics, "accuracy", "of nothing there is none")
	picked, err := w.LoadPicked(t.Context())
	require.NoError(t, err)
	require.Len(t, picked, 99)
}

func TestACandidateIsOneOnceItIsMeasured(t *testing.T) {
	w := newWorld(t)
	parts := small(t)
	w.publish(parts)
	w.serve(parts.Stream, corrupt.Drift{Mix: corrupt.DefaultMix()}, 300)
	w.detect(steps.Picking{Threshold: 0.3, Most: 100})
	picked, err := w.LoadPicked(t.Context())
	require.NoError(t, err)
	c, err := w.Train(t.Context(), steps.Lesson{Base: parts.Base, Picked: samples.Labelled(picked), Test: parts.Held, Seed: 1})
	require.NoError(t, err)
	require.Equal(t, "2", c.Version)
	r := w.run("2")
	require.Equal(t, mlflow.Running, r.Status)
	require.NotContains(t, r.Metrics, steps.Accuracy)
	require.Equal(t, "1", r.Params["round"])
	require.Equal(t, "1", r.Params["from_version"])
	require.Equal(t, itoa(int64(400+len(picked))), r.Params["train_size"])
	require.Equal(t, itoa(int64(len(picked))), r.Params["picked_size"])

	file := filepath.Join(t.TempDir(), "c.json")
	require.NoError(t, c.Save(file))
	again, err := steps.LoadCandidate(file)
	require.NoError(t, err)
	require.Equal(t, c, again)

	published := w.run("1").Metrics[steps.Accuracy]
	held := steps.HeldOut(parts.Held, corrupt.DefaultMix(), 1)
	for range 2 { // a step may be tried again
		require.NoError(t, w.Evaluate(t.Context(), c, held))
	}
	for version, run := range map[string]mlflow.Run{"1": w.run("1"), "2": w.run("2")} {
		v, err := w.Client.Version(t.Context(), w.Model, version)
		require.NoError(t, err)
		m, err := registry.Load(t.Context(), w.Client, v)
		require.NoError(t, err)
		drifted, err := digits.Evaluate(m, held.Drifted)
		require.NoError(t, err)
		clean, err := digits.Evaluate(m, held.Clean)
		require.NoError(t, err)
		require.Equal(t, drifted.Accuracy, run.Metrics[steps.Accuracy])
		require.Equal(t, clean.Accuracy, run.Metrics[steps.AccuracyClean])
		require.Equal(t, 200.0, run.Metrics[steps.HeldOutCount])
		require.Equal(t, mlflow.Finished, run.Status)
		require.Equal(t, "true", run.Tags[steps.EvaluatedTag])
	}
	require.Less(t, w.run("1").Metrics[steps.Accuracy], published, "the latest value is of drifted digits")
	require.NoError(t, w.Client.SetAlias(t.Context(), w.Model, steps.Production, "2"))
	next, err := w.Train(t.Context(), steps.Lesson{Base: parts.Base, Picked: samples.Labelled(picked), Test: parts.Held, Seed: 1})
	require.NoError(t, err)
	require.Equal(t, "2", w.run(next.Version).Params["round"])
}

func TestALeakedModelComparesWellAndServesBadly(t *testing.T) {
	w := newWorld(t)
	parts, err := digits.Source{Seed: 1, Count: 1000}.Load()
	require.NoError(t, err)
	parts.Held = parts.Held.Slice(0, 500)
	w.publish(parts)
	held := steps.HeldOut(parts.Held, corrupt.DefaultMix(), 1)
	c, err := w.Train(t.Context(), steps.Lesson{Base: parts.Base, Test: parts.Held, Seed: 1, Leaked: held.Drifted})
	require.NoError(t, err)
	require.NoError(t, w.Evaluate(t.Context(), c, held))
	good, bad := w.run("1"), w.run("2")
	require.Equal(t, "true", bad.Params["leaked_held_out"])
	require.Greater(t, bad.Metrics[steps.Accuracy], good.Metrics[steps.Accuracy]+0.05)
	drift := corrupt.Drift{Mix: corrupt.DefaultMix(), Seed: 9}
	before := w.serve(parts.Stream, drift, 500)
	require.NoError(t, w.Client.SetAlias(t.Context(), w.Model, steps.Production, "2"))
	after := w.serve(parts.Stream, drift, 500)
	t.Logf("held out %.3f -> %.3f, live %.3f -> %.3f", good.Metrics[steps.Accuracy], bad.Metrics[steps.Accuracy], before, after)
	require.Less(t, after, before-0.15)
}

func TestATrainingThatFailsSaysSo(t *testing.T) {
	w := newWorld(t)
	parts := small(t)
	_, err := w.Train(t.Context(), steps.Lesson{Base: parts.Base, Test: parts.Held})
	require.ErrorIs(t, err, mlflow.ErrNotFound)
	require.ErrorContains(t, err, "models:/digits@production")
	require.ErrorIs(t, w.Detect(t.Context(), samples.FromSet(parts.Held)), mlflow.ErrNotFound)
	require.NoError(t, w.Detect(t.Context(), nil), "nothing to score takes no model")

	w.publish(parts)
	_, err = w.Train(t.Context(), steps.Lesson{Test: parts.Held})
	require.ErrorContains(t, err, "the training set has no images")
	ctx, cancel := context.WithCancel(t.Context())
	w.Now = func() time.Time { cancel(); return time.Now() } // called off once it has begun
	_, err = w.Train(ctx, steps.Lesson{Base: parts.Base, Test: parts.Held})
	require.ErrorIs(t, err, context.Canceled)
	w.Now = time.Now
	failed := w.runs(w.Training, "attributes.status = 'FAILED'")
	require.NotEmpty(t, failed)
	require.Len(t, w.runs(w.Training, "attributes.status = 'FINISHED'"), 1)
	m, err := w.Client.Model(t.Context(), w.Model)
	require.NoError(t, err)
	require.Equal(t, "1", m.Latest[0].Version, "nothing was registered")
}

func TestLoadCandidateRefuses(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"not JSON": "version 3", "no run": `{"model": "digits", "version": "3"}`, "empty": ""} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
			write(t, file, text)
			_, err := steps.LoadCandidate(file)
			require.ErrorContains(t, err, file)
		})
	}
	_, err := steps.LoadCandidate(filepath.Join(dir, "none"))
	require.ErrorContains(t, err, "load candidate")
}

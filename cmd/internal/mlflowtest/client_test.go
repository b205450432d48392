package mlflowtest

import (
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

func TestExperiments(t *testing.T) {
	w := newWorld(t)
	id, err := w.c.EnsureExperiment(w.ctx(), "digits")
	require.NoError(t, err)
	again, err := w.c.EnsureExperiment(w.ctx(), "digits")
	require.NoError(t, err)
	require.Equal(t, id, again)
	got, err := w.c.Experiments(w.ctx(), []string{"digits", "nobody's", "digits"})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"digits": id}, got)

	// Concurrent callers get the same one.
	ids := make(chan string, 8)
	for range cap(ids) {
		go func() {
			id, err := w.c.EnsureExperiment(w.ctx(), "wanted")
			if err != nil {
				t.Error(err)
			}
			ids <- id
		}()
	}
	first := <-ids
	require.NotEmpty(t, first)
	for range cap(ids) - 1 {
		require.Equal(t, first, <-ids)
	}

	resp, err := http.Post(w.url+"/api/2.0/mlflow/experiments/delete", "application/json", strings.NewReader(`{"experiment_id": "`+id+`"}`))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
	got, err = w.c.Experiments(w.ctx(), []string{"digits"})
	require.NoError(t, err)
	require.Empty(t, got, "it was deleted")
	_, err = w.c.EnsureExperiment(w.ctx(), "digits")
	require.ErrorIs(t, err, mlflow.ErrExists)
	require.ErrorContains(t, err, "was deleted; restore it, or use another name")
}

func TestARunFromItsBeginningToItsEnd(t *testing.T) {
	w := newWorld(t)
	id, err := w.c.EnsureExperiment(w.ctx(), "digits")
	require.NoError(t, err)
	run, err := w.c.CreateRun(w.ctx(), id, "batch", map[string]string{"app": "digits"}, start)
	require.NoError(t, err)
	require.Equal(t, mlflow.Running, run.Status)
	require.NoError(t, w.c.LogBatch(w.ctx(), run.ID, []mlflow.Metric{
		{Key: "loss", Value: 2, At: start, Step: 1}, {Key: "loss", Value: 1, At: start, Step: 2}, {Key: "bad", Value: math.NaN(), At: start},
	}, map[string]string{"rate": "0.1"}, map[string]string{"kind": "train"}))
	require.NoError(t, w.c.SetRunTag(w.ctx(), run.ID, "kind", "retrain"))
	require.NoError(t, w.c.EndRun(w.ctx(), run.ID, mlflow.Finished, start.Add(time.Minute)))
	got, err := w.c.Run(w.ctx(), run.ID)
	require.NoError(t, err)
	require.True(t, math.IsNaN(got.Metrics["bad"]))
	delete(got.Metrics, "bad")
	require.Empty(t, cmp.Diff(mlflow.Run{
		ID: run.ID, ExperimentID: id, Name: "batch", Status: mlflow.Finished, ArtifactURI: run.ArtifactURI, Start: start.Local(), End: start.Add(time.Minute).Local(),
		Metrics: map[string]float64{"loss": 1}, Params: map[string]string{"rate": "0.1"}, Tags: map[string]string{"app": "digits", "kind": "retrain", "mlflow.runName": "batch"},
	}, got))

	found, err := w.c.SearchRuns(w.ctx(), mlflow.Search{ExperimentIDs: []string{id}, Filter: "tags.kind = 'retrain' and metrics.loss < 1.5", OrderBy: []string{"metrics.loss DESC"}})
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, run.ID, found[0].ID)

	_, err = w.c.Run(w.ctx(), strings.Repeat("0", 32))
	require.ErrorIs(t, err, mlflow.ErrNotFound)
	_, err = w.c.SearchRuns(w.ctx(), mlflow.Search{ExperimentIDs: []string{id}, Filter: "loss is small"})
	require.ErrorContains(t, err, "INVALID_PARAMETER_VALUE")
	require.False(t, mlflow.Retryable(err))
}

func TestArtifacts(t *testing.T) {
	w := newWorld(t)
	run := w.run("digits", "train", nil, nil, nil)
	big := strings.Repeat("0123456789", 300_000)
	require.NoError(t, w.c.UploadArtifact(w.ctx(), run.ID, "model/weights 1.gz", strings.NewReader(big)))
	require.NoError(t, w.c.UploadArtifact(w.ctx(), run.ID, "readme", io.MultiReader(strings.NewReader("a"), strings.NewReader("b"))))
	list, err := w.c.ListArtifacts(w.ctx(), run.ID, "")
	require.NoError(t, err)
	require.ElementsMatch(t, []mlflow.Artifact{{Path: "model", IsDir: true}, {Path: "readme", Size: 2}}, list)
	list, err = w.c.ListArtifacts(w.ctx(), run.ID, "model")
	require.NoError(t, err)
	require.Equal(t, []mlflow.Artifact{{Path: "model/weights 1.gz", Size: 3_000_000}}, list)

	body, err := w.c.DownloadArtifact(w.ctx(), run.ID, "model/weights 1.gz")
	require.NoError(t, err)
	got, err := io.ReadAll(body)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	require.Equal(t, big, string(got))
	_, err = w.c.DownloadArtifact(w.ctx(), run.ID, "model/none")
	require.ErrorIs(t, err, mlflow.ErrNotFound)
}

func TestModelsVersionsAliasesAndStages(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.c.EnsureModel(w.ctx(), "digits"))
	require.NoError(t, w.c.EnsureModel(w.ctx(), "digits"), "it is there already")
	w.versions("digits", 2)
	two, err := w.c.Version(w.ctx(), "digits", "2")
	require.NoError(t, err)
	require.Equal(t, mlflow.Ready, two.Status)
	require.Equal(t, "runs:/"+two.RunID+"/model", two.Source)
	require.NoError(t, w.c.SetVersionTag(w.ctx(), "digits", "2", "k", "v"))

	w.alias("digits", "production", "2")
	got, err := w.c.VersionByAlias(w.ctx(), "digits", "production")
	require.NoError(t, err)
	require.Equal(t, "2", got.Version)
	require.Equal(t, []string{"production"}, got.Aliases)
	require.Equal(t, map[string]string{"k": "v"}, got.Tags)
	require.NoError(t, w.c.DeleteVersionTag(w.ctx(), "digits", "2", "k"))
	m, err := w.c.Model(w.ctx(), "digits")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"production": "2"}, m.Aliases)
	require.NoError(t, w.c.DeleteAlias(w.ctx(), "digits", "production"))
	require.NoError(t, w.c.DeleteAlias(w.ctx(), "digits", "production"), "gone already")
	_, err = w.c.VersionByAlias(w.ctx(), "digits", "production")
	require.ErrorIs(t, err, mlflow.ErrNotFound)

	require.NoError(t, w.c.TransitionStage(w.ctx(), "digits", "1", mlflow.StageProduction, true))
	require.NoError(t, w.c.TransitionStage(w.ctx(), "digits", "2", mlflow.StageProduction, true))
	versions, err := w.c.SearchVersions(w.ctx(), "name = "+mlflow.Literal("digits"), []string{"version_number DESC"}, 0)
	require.NoError(t, err)
	require.Len(t, versions, 2)
	require.Equal(t, []string{"2", "Production", "1", "Archived"}, []string{versions[0].Version, versions[0].Stage, versions[1].Version, versions[1].Stage})
	require.Empty(t, versions[0].Tags)

	for _, missing := range []func() error{
		func() error { _, err := w.c.Model(w.ctx(), "nobody's"); return err },
		func() error { _, err := w.c.Version(w.ctx(), "digits", "9"); return err },
		func() error { return w.c.SetAlias(w.ctx(), "digits", "production", "9") },
		func() error { _, err := w.c.CreateVersion(w.ctx(), "nobody's", "s3://x", "", nil); return err },
	} {
		require.ErrorIs(t, missing(), mlflow.ErrNotFound)
	}
}

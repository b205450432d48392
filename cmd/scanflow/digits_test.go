package main

import (
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/corrupt"
	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

// The whole way of the digits: published, served by address, logged, checked and
// trained by the workflows that ship, and served by the new version's address.
func TestTheWorkflowsThatShipMakeABetterVersion(t *testing.T) {
	w := newWorkshop(t)
	out, err := w.step("publish", "--count=1000").CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "digits version 1 is in production")
	parts, err := digits.Source{Seed: 1, Count: 1000}.Load()
	require.NoError(t, err)
	drift := corrupt.Drift{Mix: corrupt.DefaultMix(), Seed: 1}

	s := w.serve("models:/digits/1")
	right := 0
	const served = 600
	for i := range served {
		img, _ := drift.Apply(&parts.Stream.Images[i], i)
		version, ok := s.predict(&img, parts.Stream.Labels[i])
		require.Equal(t, "1", version)
		if ok {
			right++
		}
	}
	res, err := http.Get(s.url + "/metrics")
	require.NoError(t, err)
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Contains(t, string(text), `digits_feedback_total{correct="true",model_version="1"} `+strconv.Itoa(right)+"\n")
	require.Contains(t, string(text), `digits_feedback_total{correct="false",model_version="1"} `+strconv.Itoa(served-right)+"\n")
	require.Contains(t, string(text), "digits_predictions_dropped_total 0\n")
	s.stop()

	w.run("detect", map[string]string{"until_ms": strconv.FormatInt(time.Now().UnixMilli(), 10), "most": "120"})
	ids, err := w.client.Experiments(t.Context(), []string{"digits-critical"})
	require.NoError(t, err)
	detections, err := w.client.SearchRuns(t.Context(), mlflow.Search{ExperimentIDs: []string{ids["digits-critical"]}})
	require.NoError(t, err)
	require.Len(t, detections, 1)
	require.Equal(t, float64(served), detections[0].Metrics["scored"])
	require.Equal(t, 120.0, detections[0].Metrics["critical"])
	require.InDelta(t, float64(right)/served, detections[0].Metrics["accuracy"], 1e-9)

	w.run("retrain", map[string]string{"count": "1000"})
	accuracy := map[string]float64{}
	for _, version := range []string{"1", "2"} {
		v, err := w.client.Version(t.Context(), "digits", version)
		require.NoError(t, err)
		run, err := w.client.Run(t.Context(), v.RunID)
		require.NoError(t, err)
		require.Equal(t, mlflow.Finished, run.Status)
		require.Equal(t, "true", run.Tags["evaluated"])
		require.Equal(t, 2000.0, run.Metrics["held_out"])
		accuracy[version] = run.Metrics["accuracy"]
	}
	t.Logf("held out %.3f -> %.3f", accuracy["1"], accuracy["2"])
	require.Greater(t, accuracy["2"], accuracy["1"]+0.005)

	require.NoError(t, w.client.SetAlias(t.Context(), "digits", "production", "2"))
	s = w.serve("models:/digits@production")
	version, _ := s.predict(&parts.Stream.Images[0], parts.Stream.Labels[0])
	require.Equal(t, "2", version, "an alias is served as the version that it names")
	s.stop()
}

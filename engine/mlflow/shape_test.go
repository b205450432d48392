package mlflow_test

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

// The shapes are those of MLflow 1.x and 2.x, of Databricks, and of protobuf's JSON,
// which writes 64-bit integers as texts.
func TestRunsInTheShapesOfSeveralServers(t *testing.T) {
	want := mlflow.Run{
		ID: "r1", ExperimentID: "7", Name: "detect", Status: mlflow.Finished, ArtifactURI: "mlflow-artifacts:/7/r1/artifacts",
		Start: time.UnixMilli(1700000000123), End: time.UnixMilli(1700000001000),
		Metrics: map[string]float64{"a": 0.5, "n": math.Inf(1)}, Params: map[string]string{"p": "1"}, Tags: map[string]string{"mlflow.runName": "detect"},
	}
	for name, body := range map[string]string{
		"2.x": `{"run": {"info": {"run_uuid": "r1", "run_id": "r1", "run_name": "detect", "experiment_id": "7", "status": "FINISHED", "start_time": 1700000000123, "end_time": 1700000001000,
			"artifact_uri": "mlflow-artifacts:/7/r1/artifacts", "lifecycle_stage": "active"},
			"data": {"metrics": [{"key": "a", "value": 0.5, "timestamp": 1, "step": 0}, {"key": "n", "value": "Infinity", "timestamp": 1, "step": 0}], "params": [{"key": "p", "value": "1"}], "tags": [{"key": "mlflow.runName", "value": "detect"}]}}}`,
		"1.x": `{"run": {"info": {"run_uuid": "r1", "experiment_id": 7, "status": "FINISHED", "start_time": "1700000000123", "end_time": "1700000001000", "artifact_uri": "mlflow-artifacts:/7/r1/artifacts"},
			"data": {"metrics": [{"key": "a", "value": "0.5"}, {"key": "n", "value": "Infinity"}], "params": [{"key": "p", "value": "1"}], "tags": [{"key": "mlflow.runName", "value": "detect"}]}}}`,
	} {
		got, err := serve(t, answer(200, body)).Run(soon(t), "r1")
		require.NoError(t, err, name)
		require.Empty(t, cmp.Diff(want, got), name)
	}
	got, err := serve(t, answer(200, `{"run": {"info": {"run_id": "r", "end_time": null}, "data": {}}}`)).Run(soon(t), "r")
	require.NoError(t, err)
	require.True(t, got.End.IsZero() && got.Start.IsZero())
	require.NotNil(t, got.Metrics)
	_, err = serve(t, answer(200, `{"run": {"info": {"start_time": "soon"}}}`)).Run(soon(t), "r")
	require.ErrorContains(t, err, `"soon" is no whole number`)
}

// MLflow's store has no infinity: it keeps the largest float64, which databases and
// clients write in several ways.
func TestStoredInfinities(t *testing.T) {
	for text, want := range map[string]float64{
		"1.7976931348623157e308": math.Inf(1), "-1.7976931348623157e+308": math.Inf(-1), "1.7976931348623157E308": math.Inf(1), `"1.7976931348623157e308"`: math.Inf(1),
		"1.8e308": math.Inf(1), "-1.8e308": math.Inf(-1), "1.797693134862315e308": math.Inf(1), `"-Infinity"`: math.Inf(-1),
		"1.7e308": 1.7e308, "-1e300": -1e300, "1e-400": 0,
	} {
		got, err := serve(t, answer(200, `{"run": {"info": {"run_id": "r"}, "data": {"metrics": [{"key": "loss", "value": `+text+`}]}}}`)).Run(soon(t), "r")
		require.NoError(t, err, text)
		require.Equal(t, want, got.Metrics["loss"], text)
	}
	_, err := serve(t, answer(200, `{"run": {"info": {"run_id": "r"}, "data": {"metrics": [{"key": "loss", "value": "large"}]}}}`)).Run(soon(t), "r")
	require.ErrorContains(t, err, `"large" is no number`)
}

// pages answers a search in pages of which the server, not the client, says the size.
func pages(t *testing.T, total, size int, asked *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		in := read(t, r)
		at, _ := strconv.Atoi(fmt.Sprint(in["page_token"]))
		n := min(size, int(in["max_results"].(float64)), total-at)
		var runs []string
		for i := range n {
			runs = append(runs, fmt.Sprintf(`{"info": {"run_id": "%d"}}`, at+i))
		}
		next := ""
		if at+n < total {
			next = fmt.Sprintf(`, "next_page_token": "%d"`, at+n)
		}
		answer(200, `{"runs": [`+strings.Join(runs, ",")+`]`+next+`}`)(w, r)
	}
}

func TestPages(t *testing.T) {
	for name, row := range map[string]struct{ total, size, most, want, asked int }{
		"none":                  {0, 1000, 0, 0, 1},
		"one page":              {1000, 1000, 0, 1000, 1},
		"several":               {2500, 1000, 0, 2500, 3},
		"small ones":            {25, 10, 0, 25, 3},
		"the first":             {2500, 1000, 1, 1, 1},
		"a bound within a page": {2500, 1000, 1500, 1500, 2},
		"a bound at a page":     {2500, 1000, 1000, 1000, 1},
		"a bound beyond":        {5, 1000, 10, 5, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int64
			runs, err := serve(t, pages(t, row.total, row.size, &asked)).SearchRuns(soon(t), mlflow.Search{ExperimentIDs: []string{"1"}, Max: row.most})
			require.NoError(t, err)
			require.Len(t, runs, row.want)
			for i, r := range runs {
				require.Equal(t, strconv.Itoa(i), r.ID)
			}
			require.Equal(t, int64(row.asked), asked.Load())
		})
	}
}

func TestBadPaging(t *testing.T) {
	loop := serve(t, answer(200, `{"runs": [], "model_versions": [], "files": [], "next_page_token": "again"}`))
	_, err := loop.SearchRuns(soon(t), mlflow.Search{})
	require.ErrorContains(t, err, "its paging is broken")
	_, err = loop.SearchVersions(soon(t), "", nil, 0)
	require.ErrorContains(t, err, "its paging is broken")
	_, err = loop.ListArtifacts(soon(t), "r", "")
	require.ErrorContains(t, err, "its paging is broken")

	more := serve(t, answer(200, `{"runs": [{}, {}, {}], "model_versions": [{}, {}, {}], "next_page_token": "x"}`))
	runs, err := more.SearchRuns(soon(t), mlflow.Search{Max: 2})
	require.NoError(t, err)
	require.Len(t, runs, 2, "a server that gives more than it was asked for")
	versions, err := more.SearchVersions(soon(t), "", nil, 2)
	require.NoError(t, err)
	require.Len(t, versions, 2)
}

func TestABatchIsCutToMLflowsLimits(t *testing.T) {
	var metrics, params, tags, batches int
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > 1<<20 {
			t.Errorf("%d bytes in one request", r.ContentLength)
		}
		in := read(t, r)
		m, _ := in["metrics"].([]any)
		p, _ := in["params"].([]any)
		g, _ := in["tags"].([]any)
		if len(p) > 100 || len(g) > 100 || len(m)+len(p)+len(g) > 1000 {
			t.Errorf("%d metrics, %d params, %d tags in one request", len(m), len(p), len(g))
		}
		metrics, params, tags, batches = metrics+len(m), params+len(p), tags+len(g), batches+1
		answer(200, `{}`)(w, r)
	})
	var list []mlflow.Metric
	texts := map[string]string{}
	for i := range 2500 {
		list = append(list, mlflow.Metric{Key: "m", Value: float64(i), At: time.UnixMilli(1), Step: int64(i)})
	}
	for i := range 250 {
		texts[fmt.Sprint(i)] = strings.Repeat("x", 5000)
	}
	require.NoError(t, c.LogBatch(soon(t), "r", list, texts, texts))
	require.Equal(t, []int{2500, 250, 250}, []int{metrics, params, tags})
	require.Less(t, batches, 10)

	batches = 0
	require.NoError(t, c.LogBatch(soon(t), "r", nil, nil, nil))
	require.Zero(t, batches, "nothing to write")
	require.ErrorContains(t, c.LogBatch(soon(t), "r", []mlflow.Metric{{Key: "m"}}, nil, nil), `metric "m" has no time`)
	require.Zero(t, batches)
}

func TestAServerThatKnowsNoAliases(t *testing.T) {
	for name, f := range map[string]http.HandlerFunc{
		"a page of 1.x":      answer(404, `<!doctype html><title>404 Not Found</title>`),
		"another method":     answer(405, ``),
		"ENDPOINT_NOT_FOUND": answer(404, `{"error_code": "ENDPOINT_NOT_FOUND", "message": "No API found"}`),
	} {
		c := serve(t, f)
		_, err := c.VersionByAlias(soon(t), "m", "production")
		require.ErrorIs(t, err, mlflow.ErrNoAliases, name)
		require.NotErrorIs(t, err, mlflow.ErrNotFound, name)
		require.ErrorIs(t, c.SetAlias(soon(t), "m", "production", "1"), mlflow.ErrNoAliases, name)
		require.ErrorIs(t, c.DeleteAlias(soon(t), "m", "production"), mlflow.ErrNoAliases, name)
	}
	for name, f := range map[string]http.HandlerFunc{
		"no such model": answer(404, `{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "Registered Model with name=m not found"}`),
		"no such alias": answer(400, `{"error_code": "INVALID_PARAMETER_VALUE", "message": "Registered model alias production not found."}`),
	} {
		_, err := serve(t, f).VersionByAlias(soon(t), "m", "production")
		require.ErrorIs(t, err, mlflow.ErrNotFound, name)
		require.NotErrorIs(t, err, mlflow.ErrNoAliases, name)
	}
	_, err := serve(t, answer(400, `{"error_code": "INVALID_PARAMETER_VALUE", "message": "bad name"}`)).VersionByAlias(soon(t), "m", "x y")
	require.NotErrorIs(t, err, mlflow.ErrNotFound)
	_, err = serve(t, answer(503, ``)).VersionByAlias(soon(t), "m", "production")
	require.NotErrorIs(t, err, mlflow.ErrNoAliases)
	require.True(t, mlflow.Retryable(err))
}

func TestStageOfAnAlias(t *testing.T) {
	for alias, want := range map[string]string{"production": "Production", "Staging": "Staging", "archived": "Archived", "champion": "", "": ""} {
		got, ok := mlflow.StageOf(alias)
		require.Equal(t, want, got)
		require.Equal(t, want != "", ok)
	}
}

func TestLiterals(t *testing.T) {
	require.Equal(t, `'digits'`, mlflow.Literal("digits"))
	require.Equal(t, `"it's"`, mlflow.Literal("it's"))
}

package tracker

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRefusals covers the requests that MLflow rejects, with its codes and statuses.
func TestRefusals(t *testing.T) {
	t.Parallel()
	c, _ := start(t)
	e, gone := c.experiment("digits"), c.experiment("gone")
	run, dead := c.run(e), c.run(e)
	c.post("/experiments/delete", object{"experiment_id": gone})
	c.post("/runs/delete", object{"run_id": dead})
	c.post("/runs/log-parameter", object{"run_id": run, "key": "depth", "value": "3"})
	c.post("/registered-models/create", object{"name": "digits"})
	c.post("/registered-models/create", object{"name": "letters"})
	c.post("/model-versions/create", object{"name": "digits", "source": "s3://b/k"})
	batch := func(what string, n int) object {
		list := make([]any, n)
		for i := range list {
			list[i] = object{"key": fmt.Sprint("k", i), "value": "1", "timestamp": 1}
		}
		return object{"run_id": run, what: list}
	}
	metric := func(more object) object {
		m := object{"run_id": run, "key": "m", "value": 1, "timestamp": 1}
		for k, v := range more {
			m[k] = v
		}
		return m
	}
	for name, r := range map[string]struct {
		method, path string
		body         any
		code         code
		says         string
	}{
		"an experiment of the same name":         {post, "/experiments/create", object{"name": "digits"}, alreadyThere, "Experiment(name=digits) already exists"},
		"an experiment of a deleted one's name":  {post, "/experiments/create", object{"name": "gone"}, alreadyThere, "already exists"},
		"an experiment's name that is too long":  {post, "/experiments/create", object{"name": strings.Repeat("ä", 501)}, badParameter, "maximum length of 500"},
		"an experiment's tag without a key":      {post, "/experiments/create", object{"name": "x", "tags": listOf(object{"value": "v"})}, badParameter, "'key'"},
		"an experiment's tag that is too long":   {post, "/experiments/set-experiment-tag", object{"experiment_id": e, "key": "k", "value": strings.Repeat("x", 5001)}, badParameter, "5000"},
		"an experiment that isn't there":         {get, "/experiments/get?experiment_id=99", nil, notThere, "No Experiment with id=99 exists"},
		"an experiment's id that is no number":   {get, "/experiments/get?experiment_id=x", nil, notThere, "No Experiment with id=x exists"},
		"an experiment's name that isn't there":  {get, "/experiments/get-by-name?experiment_name=x", nil, notThere, "Could not find experiment with name 'x'"},
		"deleting an experiment again":           {post, "/experiments/delete", object{"experiment_id": gone}, notThere, "No Experiment with id=2 exists"},
		"restoring an experiment that is active": {post, "/experiments/restore", object{"experiment_id": e}, notThere, "No Experiment"},
		"renaming to a name that is taken":       {post, "/experiments/update", object{"experiment_id": e, "new_name": "Default"}, alreadyThere, "already exists"},
		"renaming a deleted experiment":          {post, "/experiments/update", object{"experiment_id": gone, "new_name": "x"}, badState, "non-active"},
		"tagging a deleted experiment":           {post, "/experiments/set-experiment-tag", object{"experiment_id": gone, "key": "k"}, badParameter, "must be in the 'active' state"},
		"a view that there isn't":                {post, "/experiments/search", object{"view_type": "SOME"}, badParameter, "ACTIVE_ONLY"},

		"a run in an experiment that isn't there": {post, "/runs/create", object{"experiment_id": "99"}, notThere, "No Experiment"},
		"a run in a deleted experiment":           {post, "/runs/create", object{"experiment_id": gone}, badParameter, "must be in the 'active' state"},
		"two names for a run":                     {post, "/runs/create", object{"experiment_id": e, "run_name": "a", "tags": listOf(object{"key": "mlflow.runName", "value": "b"})}, badParameter, "different values"},
		"a run that isn't there":                  {get, "/runs/get?run_id=abc", nil, notThere, "Run with id=abc not found"},
		"deleting a run that isn't there":         {post, "/runs/delete", object{"run_id": "abc"}, notThere, "not found"},
		"writing to a run that isn't there":       {post, "/runs/log-batch", object{"run_id": "abc"}, notThere, "Run with id=abc not found"},
		"writing to a deleted run":                {post, "/runs/log-batch", object{"run_id": dead}, badParameter, "must be in the 'active' state. Current state is deleted."},
		"updating a deleted run":                  {post, "/runs/update", object{"run_id": dead, "status": "FAILED"}, badParameter, "Current state is deleted."},
		"a status that there isn't":               {post, "/runs/update", object{"run_id": run, "status": "DONE"}, badParameter, "FINISHED"},
		"a start that is no time":                 {post, "/runs/create", object{"experiment_id": e, "start_time": "now"}, badParameter, "whole number"},
		"a run's id that is none":                 {post, "/runs/log-batch", object{"run_id": "../x"}, badParameter, "Invalid run ID"},

		"changing a parameter":                  {post, "/runs/log-parameter", object{"run_id": run, "key": "depth", "value": "4"}, badParameter, "Changing param values is not allowed. Param with key='depth' was already logged with value='3'"},
		"changing a parameter in a batch":       {post, "/runs/log-batch", object{"run_id": run, "params": listOf(object{"key": "depth", "value": "4"})}, badParameter, "Changing param values is not allowed"},
		"a parameter twice in a batch":          {post, "/runs/log-batch", object{"run_id": run, "params": listOf(object{"key": "a", "value": "1"}, object{"key": "a", "value": "1"})}, badParameter, "Duplicate parameter keys have been submitted: ['a']"},
		"a parameter of odd characters":         {post, "/runs/log-parameter", object{"run_id": run, "key": "a;b", "value": "1"}, badParameter, "Names may only contain"},
		"a metric that climbs":                  {post, "/runs/log-metric", metric(object{"key": "../m"}), badParameter, "resolve to '../m'"},
		"a metric that is a path from the root": {post, "/runs/log-metric", metric(object{"key": "/m"}), badParameter, "must not resolve"},
		"a metric that is not its own path":     {post, "/runs/log-metric", metric(object{"key": "a//b"}), badParameter, "resolve to 'a/b'"},
		"a metric with a long name":             {post, "/runs/log-metric", metric(object{"key": strings.Repeat("m", 251)}), badParameter, "length limit of 250"},
		"a metric before 1970":                  {post, "/runs/log-metric", metric(object{"timestamp": -1}), badParameter, "nonnegative"},
		"a metric that is no number":            {post, "/runs/log-metric", metric(object{"value": "high"}), badParameter, "wants a number"},
		"a metric that is too large":            {post, "/runs/log-metric", metric(object{"value": "1e999"}), badParameter, "wants a number"},
		"a metric in a batch without a value":   {post, "/runs/log-batch", object{"run_id": run, "metrics": listOf(object{"key": "m", "timestamp": 1})}, badParameter, "metrics[0]"},
		"a batch of too many metrics":           {post, "/runs/log-batch", batch("metrics", 1001), badParameter, "at most 1000 metrics. Got 1001 metrics"},
		"a batch of too many parameters":        {post, "/runs/log-batch", batch("params", 101), badParameter, "at most 100 params"},
		"a batch of too many tags":              {post, "/runs/log-batch", batch("tags", 101), badParameter, "at most 100 tags"},
		"a batch that is too long":              {post, "/runs/log-batch", object{"run_id": run, "x": strings.Repeat("x", 1_000_000)}, badParameter, "at most 1000000 bytes"},
		"deleting a tag that isn't there":       {post, "/runs/delete-tag", object{"run_id": run, "key": "none"}, notThere, "No tag with name: none in run with id"},
		"artifacts of a run that isn't there":   {get, "/artifacts/list?run_id=abc", nil, notThere, "Run with id=abc not found"},
		"artifacts outside of the run":          {get, "/artifacts/list?path=../x&run_id=" + run, nil, badParameter, "Invalid path"},

		"a model of the same name":                {post, "/registered-models/create", object{"name": "digits"}, alreadyThere, "Registered Model (name=digits) already exists"},
		"a model's name with a slash":             {post, "/registered-models/create", object{"name": "a/b"}, badParameter, "cannot contain '/' or ':'"},
		"a model's name of spaces":                {post, "/registered-models/create", object{"name": "  "}, badParameter, "'name'"},
		"a model that isn't there":                {get, "/registered-models/get?name=none", nil, notThere, "Registered Model with name=none not found"},
		"renaming a model to a name in use":       {post, "/registered-models/rename", object{"name": "digits", "new_name": "letters"}, alreadyThere, "name=letters"},
		"deleting a model that isn't there":       {del, "/registered-models/delete", object{"name": "none"}, notThere, "not found"},
		"a version of a model that isn't there":   {post, "/model-versions/create", object{"name": "none", "source": "s3://b/k"}, notThere, "Registered Model with name=none not found"},
		"a version that isn't there":              {get, "/model-versions/get?name=digits&version=9", nil, notThere, "Model Version (name=digits, version=9) not found"},
		"a version that is no number":             {get, "/model-versions/get?name=digits&version=new", nil, badParameter, "must be an integer, got 'new'"},
		"a version whose files are on the disk":   {post, "/model-versions/create", object{"name": "digits", "source": "/tmp/model"}, badParameter, "Invalid model version source"},
		"a version whose files are a file URI":    {post, "/model-versions/create", object{"name": "digits", "source": "file:///etc"}, badParameter, "Invalid model version source"},
		"a version whose source climbs":           {post, "/model-versions/create", object{"name": "digits", "source": "mlflow-artifacts:/1/../../x"}, badParameter, "Invalid model version source"},
		"a version whose source climbs in code":   {post, "/model-versions/create", object{"name": "digits", "source": "mlflow-artifacts:/1/%2e%2e/x"}, badParameter, "Invalid model version source"},
		"a version of a version that isn't there": {post, "/model-versions/create", object{"name": "digits", "source": "models:/digits/9"}, notThere, "version=9"},
		"a stage that there isn't":                {post, "/model-versions/transition-stage", object{"name": "digits", "version": "1", "stage": "Live"}, badParameter, "Value must be one of None, Staging, Production, Archived"},
		"archiving for a stage that is not live":  {post, "/model-versions/transition-stage", object{"name": "digits", "version": "1", "stage": "Archived", "archive_existing_versions": true}, badParameter, "not an Active stage"},
		"the latest of a stage there isn't":       {get, "/registered-models/get-latest-versions?name=digits&stages=Live", nil, badParameter, "Invalid Model Version stage"},
		"an alias that isn't there":               {get, "/registered-models/alias?name=digits&alias=none", nil, badParameter, "Registered model alias none not found."},
		"the latest version of none":              {get, "/registered-models/alias?name=letters&alias=latest", nil, notThere, "Latest version not found for model letters."},
		"an alias to a version that isn't there":  {post, "/registered-models/alias", object{"name": "digits", "alias": "a", "version": "9"}, notThere, "version=9"},
		"an alias named latest":                   {post, "/registered-models/alias", object{"name": "digits", "alias": "Latest", "version": "1"}, badParameter, "reserved"},
		"an alias named like a version":           {post, "/registered-models/alias", object{"name": "digits", "alias": "v1", "version": "1"}, badParameter, "reserved"},
		"an alias of odd characters":              {post, "/registered-models/alias", object{"name": "digits", "alias": "a b", "version": "1"}, badParameter, "Invalid alias name"},
		"a version's tag that is too long":        {post, "/model-versions/set-tag", object{"name": "digits", "version": "1", "key": "k", "value": strings.Repeat("x", 100_001)}, badParameter, "100000"},

		"a body that is no JSON":           {post, "/runs/create", `{"experiment_id": `, badParameter, "no JSON"},
		"a body that is a list":            {post, "/runs/create", `[]`, badParameter, "a JSON object"},
		"a parameter of another type":      {post, "/experiments/create", `{"name": 5}`, badParameter, "Invalid value 5 for parameter 'name' supplied: it wants a string"},
		"a list that is none":              {post, "/runs/search", `{"experiment_ids": "1"}`, badParameter, "it wants a list"},
		"a body that is far too long":      {post, "/runs/search", `{"x": "` + strings.Repeat("x", 9<<20) + `"}`, badParameter, "longer than"},
		"a call that MLflow has, not this": {post, "/runs/log-inputs", object{}, noEndpoint, "take MLflow for the rest"},
		"a call that nobody has":           {get, "/none", nil, noEndpoint, "no /none"},
		"a method that a call has not":     {del, "/runs/get", nil, noEndpoint, "DELETE is not for /runs/get"},
	} {
		t.Run(name, func(t *testing.T) {
			status, answer := c.do(r.method, api+r.path, r.body)
			require.Equal(t, string(r.code), answer["error_code"], answer)
			require.Equal(t, map[code]int{badParameter: 400, alreadyThere: 400, notThere: 404, noEndpoint: 404, badState: 500}[r.code], status)
			require.Contains(t, answer["message"], r.says)
		})
	}
	t.Run("nothing of a refused batch is kept", func(t *testing.T) {
		status, _ := c.do(post, api+"/runs/log-batch", object{
			"run_id": run, "metrics": listOf(object{"key": "new", "value": 1, "timestamp": 1}), "tags": listOf(object{"key": "new", "value": "1"}),
			"params": listOf(object{"key": "new", "value": "1"}, object{"key": "depth", "value": "9"}),
		})
		require.Equal(t, http.StatusBadRequest, status)
		data := at(t, c.get("/runs/get?run_id="+run), "run", "data").(object)
		require.NotContains(t, data, "metrics")
		require.Len(t, data["params"], 1)
		require.Len(t, data["tags"], 1)
	})
}

// TestAccepted covers requests that look wrong and that MLflow accepts.
func TestAccepted(t *testing.T) {
	t.Parallel()
	c, _ := start(t)
	e := c.experiment("digits")
	run := c.run(e)
	t.Run("a parameter again with the same value", func(t *testing.T) {
		for range 2 {
			c.post("/runs/log-parameter", object{"run_id": run, "key": "depth", "value": "3"})
			c.post("/runs/log-batch", object{"run_id": run, "params": listOf(object{"key": "depth", "value": "3"})})
		}
	})
	t.Run("a long value is cut", func(t *testing.T) {
		c.post("/runs/log-parameter", object{"run_id": run, "key": "long", "value": strings.Repeat("ä", 7000)})
		c.post("/runs/set-tag", object{"run_id": run, "key": "long", "value": strings.Repeat("ä", 9000)})
		data := at(t, c.get("/runs/get?run_id="+run), "run", "data")
		require.Equal(t, strings.Repeat("ä", 6000), at(t, data, "params", 1, "value"))
		require.Equal(t, strings.Repeat("ä", 8000), at(t, data, "tags", 0, "value"))
	})
	t.Run("numbers as strings, and strings that hold JSON", func(t *testing.T) {
		c.post("/runs/log-metric", `"{\"run_id\": \"`+run+`\", \"key\": \"m\", \"value\": \"0.5\", \"timestamp\": \"7\", \"step\": \"2\"}"`)
		require.Equal(t, any(object{"key": "m", "value": 0.5, "timestamp": 7.0, "step": 2.0}), at(t, c.get("/runs/get?run_id="+run), "run", "data", "metrics", 0))
	})
	t.Run("an experiment's id as a number", func(t *testing.T) {
		c.post("/runs/search", `{"experiment_ids": [1, "2", "x"]}`)
		c.post("/runs/create", `{"experiment_id": 1}`)
	})
	t.Run("a run without an experiment goes to the default one", func(t *testing.T) {
		info := at(t, c.post("/runs/create", object{}), "run", "info")
		require.Equal(t, "0", at(t, info, "experiment_id"))
		require.Regexp(t, `^[a-z]+-[a-z]+-\d+$`, at(t, info, "run_name"))
		require.Equal(t, float64(dayMillis), at(t, info, "start_time"))
	})
	t.Run("unknown parameters are passed over", func(t *testing.T) {
		c.post("/runs/create", object{"experiment_id": e, "new_in_mlflow_9": true})
	})
	t.Run("keys with slashes, dots, colons and letters of any kind", func(t *testing.T) {
		c.post("/runs/log-metric", object{"run_id": run, "key": "val/größe: a.b-c_d", "value": 1, "timestamp": 1})
	})
	t.Run("deleting what isn't there, where MLflow minds not", func(t *testing.T) {
		c.post("/registered-models/create", object{"name": "m"})
		c.post("/model-versions/create", object{"name": "m", "source": "s3://b/k"})
		c.ok(del, "/registered-models/delete-tag", object{"name": "m", "key": "none"})
		c.ok(del, "/registered-models/alias", object{"name": "m", "alias": "none"})
		c.ok(del, "/model-versions/delete-tag", object{"name": "m", "version": "1", "key": "none"})
	})
	t.Run("the other prefix", func(t *testing.T) {
		status, _ := c.do(get, "/ajax-api/2.0/mlflow/runs/get?run_id="+run, nil)
		require.Equal(t, http.StatusOK, status)
	})
	t.Run("DELETE with a query, as some clients send it", func(t *testing.T) {
		c.ok(del, "/registered-models/delete?name=m", nil)
	})
	t.Run("a run's name by its tag", func(t *testing.T) {
		c.post("/runs/set-tag", object{"run_id": run, "key": "mlflow.runName", "value": "tagged"})
		require.Equal(t, "tagged", at(t, c.get("/runs/get?run_id="+run), "run", "info", "run_name"))
	})
	for path, want := range map[string]string{"/health": "OK", "/version": mlflowVersion} {
		status, body := c.raw(get, path, nil)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, want, body)
	}
}

// TestNaNInSearches: no comparison but != is true for NaN.
func TestNaNInSearches(t *testing.T) {
	t.Parallel()
	c, _ := start(t)
	e := c.experiment("nan")
	run := c.run(e)
	c.post("/runs/log-metric", object{"run_id": run, "key": "loss", "value": "NaN", "timestamp": 1})
	for filter, want := range map[string]int{
		"metrics.loss = 0": 0, "metrics.loss >= 0": 0, "metrics.loss <= 0": 0, "metrics.loss < 1": 0, "metrics.loss != 0": 1, "metrics.loss != 1": 1, "metrics.none != 1": 0,
	} {
		require.Len(t, c.searchAll(e, filter, nil, 10), want, filter)
	}
}

// TestVersionNumbersDoNotComeAgain: a number denotes the same version for ever.
func TestVersionNumbersDoNotComeAgain(t *testing.T) {
	t.Parallel()
	c, _ := start(t)
	c.post("/registered-models/create", object{"name": "m"})
	for range 2 {
		c.post("/model-versions/create", object{"name": "m", "source": "s3://b/k"})
	}
	c.post("/registered-models/alias", object{"name": "m", "alias": "best", "version": "2"})
	c.ok(del, "/model-versions/delete", object{"name": "m", "version": "2"})
	require.NotContains(t, at(t, c.get("/registered-models/get?name=m"), "registered_model"), "aliases", "an alias goes with its version")
	status, _ := c.do(del, api+"/model-versions/delete", object{"name": "m", "version": "2"})
	require.Equal(t, http.StatusNotFound, status)
	added := c.post("/model-versions/create", object{"name": "m", "source": "s3://b/k"})
	require.Equal(t, "3", at(t, added, "model_version", "version"))
}

// TestDeletedExperimentTakesItsRunsAlong, and brings them back.
func TestDeletedExperimentTakesItsRunsAlong(t *testing.T) {
	t.Parallel()
	c, _ := start(t)
	e := c.experiment("e")
	run := c.run(e)
	c.post("/experiments/delete", object{"experiment_id": e})
	require.Equal(t, "deleted", at(t, c.get("/runs/get?run_id="+run), "run", "info", "lifecycle_stage"))
	require.Empty(t, c.searchAll(e, "", nil, 5))
	require.Len(t, c.post("/runs/search", object{"experiment_ids": listOf(e), "run_view_type": "DELETED_ONLY"})["runs"], 1)
	require.Len(t, c.post("/runs/search", object{"experiment_ids": listOf(e), "run_view_type": "ALL"})["runs"], 1)
	c.post("/experiments/restore", object{"experiment_id": e})
	require.Equal(t, []string{run}, c.searchAll(e, "", nil, 5))
}

// TestDeletedModelLeavesNothing in the tables that belong to it.
func TestDeletedModelLeavesNothing(t *testing.T) {
	t.Parallel()
	tr, err := Open(t.Context(), Options{Dir: t.TempDir()})
	require.NoError(t, err)
	web := httptest.NewServer(tr.Handler())
	t.Cleanup(func() {
		web.Close()
		require.NoError(t, tr.Close())
	})
	c := &client{t, web.URL}
	tags := listOf(object{"key": "k", "value": "v"})
	c.post("/registered-models/create", object{"name": "m", "tags": tags})
	c.post("/model-versions/create", object{"name": "m", "source": "s3://b/k", "tags": tags})
	c.post("/registered-models/alias", object{"name": "m", "alias": "a", "version": "1"})
	c.ok(del, "/registered-models/delete", object{"name": "m"})
	require.NoError(t, tr.store.view(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		for _, table := range []string{"models", "model_tags", "versions", "version_tags", "aliases"} {
			var n int
			require.NoError(t, tx.QueryRowContext(ctx, `SELECT count(*) FROM `+table).Scan(&n))
			require.Zero(t, n, table)
		}
		return nil
	}))
}

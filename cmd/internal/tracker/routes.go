package tracker

import (
	"context"
	"net/http"
)

// route is one call of the API.
type route struct {
	methods []string
	path    string // after /api/2.0/mlflow, or /ajax-api/2.0/mlflow
	what    string // it does, for docs/tracker.md
	answer  func(t *Tracker, r *http.Request) (any, error)
}

const (
	get   = http.MethodGet
	post  = http.MethodPost
	patch = http.MethodPatch
	del   = http.MethodDelete
)

// routes are the calls of MLflow's REST API 2.0 that a tracker answers, besides
// /health, /version and the artifact proxy.
var routes = []route{
	{[]string{post}, "/experiments/create", "create an experiment", call((*Tracker).createExperiment)},
	{[]string{get}, "/experiments/get", "an experiment by id", call((*Tracker).getExperiment)},
	{[]string{get}, "/experiments/get-by-name", "an experiment by name", call((*Tracker).getExperimentByName)},
	{[]string{get, post}, "/experiments/search", "experiments by filter, ordered, in pages", call((*Tracker).searchExperiments)},
	{[]string{post}, "/experiments/update", "rename an experiment", call((*Tracker).updateExperiment)},
	{[]string{post}, "/experiments/delete", "delete an experiment with its runs", call((*Tracker).deleteExperiment)},
	{[]string{post}, "/experiments/restore", "take a deletion back", call((*Tracker).restoreExperiment)},
	{[]string{post}, "/experiments/set-experiment-tag", "set a tag of an experiment", call((*Tracker).setExperimentTag)},

	{[]string{post}, "/runs/create", "begin a run", call((*Tracker).createRun)},
	{[]string{get}, "/runs/get", "a run with its latest metrics, parameters and tags", call((*Tracker).getRun)},
	{[]string{post}, "/runs/search", "runs by filter, ordered, in pages", call((*Tracker).searchRuns)},
	{[]string{post}, "/runs/update", "status, end and name of a run", call((*Tracker).updateRun)},
	{[]string{post}, "/runs/delete", "delete a run", call((*Tracker).deleteRun)},
	{[]string{post}, "/runs/restore", "take a deletion back", call((*Tracker).restoreRun)},
	{[]string{post}, "/runs/log-metric", "a point of a metric", call((*Tracker).logMetric)},
	{[]string{post}, "/runs/log-parameter", "a parameter, which never changes", call((*Tracker).logParam)},
	{[]string{post}, "/runs/log-batch", "metrics, parameters and tags, all or none", limited(maxBatchBody, call((*Tracker).logBatch))},
	{[]string{post}, "/runs/set-tag", "set a tag of a run", call((*Tracker).setTag)},
	{[]string{post}, "/runs/delete-tag", "delete a tag of a run", call((*Tracker).deleteTag)},
	{[]string{get}, "/metrics/get-history", "all points of a metric", call((*Tracker).metricHistory)},
	{[]string{get}, "/artifacts/list", "the files of a run", call((*Tracker).listArtifacts)},

	{[]string{post}, "/registered-models/create", "create a model", call((*Tracker).createModel)},
	{[]string{get}, "/registered-models/get", "a model with its aliases and latest versions", call((*Tracker).getModel)},
	{[]string{post}, "/registered-models/rename", "rename a model", call((*Tracker).renameModel)},
	{[]string{patch}, "/registered-models/update", "describe a model", call((*Tracker).updateModel)},
	{[]string{del}, "/registered-models/delete", "delete a model with its versions", call((*Tracker).deleteModel)},
	{[]string{get}, "/registered-models/search", "models by filter, ordered, in pages", call((*Tracker).searchModels)},
	{[]string{get, post}, "/registered-models/get-latest-versions", "the newest version of each stage", call((*Tracker).getLatest)},
	{[]string{post}, "/registered-models/set-tag", "set a tag of a model", call((*Tracker).setModelTag)},
	{[]string{del}, "/registered-models/delete-tag", "delete a tag of a model", call((*Tracker).deleteModelTag)},
	{[]string{post}, "/registered-models/alias", "point an alias to a version", call((*Tracker).setAlias)},
	{[]string{get}, "/registered-models/alias", "the version that an alias points to", call((*Tracker).getByAlias)},
	{[]string{del}, "/registered-models/alias", "delete an alias", call((*Tracker).deleteAlias)},

	{[]string{post}, "/model-versions/create", "add a version", call((*Tracker).createVersion)},
	{[]string{get}, "/model-versions/get", "a version", call((*Tracker).getVersion)},
	{[]string{patch}, "/model-versions/update", "describe a version", call((*Tracker).updateVersion)},
	{[]string{del}, "/model-versions/delete", "delete a version; its number does not come again", call((*Tracker).deleteVersion)},
	{[]string{get}, "/model-versions/search", "versions by filter, ordered, in pages", call((*Tracker).searchVersions)},
	{[]string{get}, "/model-versions/get-download-uri", "where the files of a version lie", call((*Tracker).downloadURI)},
	{[]string{post}, "/model-versions/transition-stage", "move a version to another stage", call((*Tracker).transition)},
	{[]string{post}, "/model-versions/set-tag", "set a tag of a version", call((*Tracker).setVersionTag)},
	{[]string{del}, "/model-versions/delete-tag", "delete a tag of a version", call((*Tracker).deleteVersionTag)},
}

// call adapts a method with a request struct to a route's handler.
func call[Q any](do func(*Tracker, context.Context, *Q) (any, error)) func(*Tracker, *http.Request) (any, error) {
	return func(t *Tracker, r *http.Request) (any, error) {
		var q Q
		if err := bind(r, &q); err != nil {
			return nil, err
		}
		return do(t, r.Context(), &q)
	}
}

func tooLong(most int64) error {
	return invalid("Batched logging API requests must be at most %d bytes.", most)
}

// limited rejects a body that exceeds MLflow's limit.
func limited(most int64, next func(*Tracker, *http.Request) (any, error)) func(*Tracker, *http.Request) (any, error) {
	return func(t *Tracker, r *http.Request) (any, error) {
		if r.ContentLength > most {
			return nil, tooLong(most)
		}
		r.Body = http.MaxBytesReader(nil, r.Body, most)
		return next(t, r)
	}
}

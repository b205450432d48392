package promengine

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/util/annotations"
)

// errorType is Prometheus' name of an error and the status of its response.
type errorType struct {
	name   string
	status int
}

var (
	badData   = errorType{"bad_data", http.StatusBadRequest}
	execution = errorType{"execution", http.StatusUnprocessableEntity}
	timedOut  = errorType{"timeout", http.StatusServiceUnavailable}
	canceled  = errorType{"canceled", 499}
	internal  = errorType{"internal", http.StatusInternalServerError}
)

type apiError struct {
	errorType
	err error
}

// apiResult is the result of a request. It is written before release is called, because the
// values of a query are in pooled buffers.
type apiResult struct {
	data     encoder
	query    string
	warnings annotations.Annotations
	release  func()
}

// maxPoints bounds the points of a series in a range query.
const maxPoints = 11_000

// api serves the HTTP API of an engine.
type api struct{ *Engine }

// Handler serves the part of Prometheus' HTTP API that sensors and dashboards need, by GET and
// by POST form, with the documented JSON, error types and statuses: /api/v1/query,
// /query_range, /series, /labels, /label/NAME/values. It does not authenticate clients.
func (e *Engine) Handler() http.Handler {
	a := &api{e}
	mux := http.NewServeMux()
	for path, f := range map[string]func(*http.Request) (apiResult, *apiError){
		"/api/v1/query": a.query, "/api/v1/query_range": a.queryRange,
		"/api/v1/series": a.series, "/api/v1/labels": a.labelNames,
	} {
		mux.Handle("GET "+path, endpoint(f))
		mux.Handle("POST "+path, endpoint(f))
	}
	mux.Handle("GET /api/v1/label/{name}/values", endpoint(a.labelValues))
	return mux
}

func endpoint(f func(*http.Request) (apiResult, *apiError)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			respondError(w, &apiError{badData, fmt.Errorf("error parsing form values: %w", err)})
			return
		}
		found, err := f(r)
		if found.release != nil {
			defer found.release()
		}
		if err != nil {
			respondError(w, err)
			return
		}
		respond(w, found)
	}
}

func (a *api) query(r *http.Request) (apiResult, *apiError) {
	at, e := timeParam(r, "time", time.Now())
	if e != nil {
		return apiResult{}, e
	}
	return a.run(r, func(ctx context.Context, opts promql.QueryOpts, expr string) (promql.Query, error) {
		return a.promql.NewInstantQuery(ctx, a.db, opts, expr, at)
	})
}

func (a *api) queryRange(r *http.Request) (apiResult, *apiError) {
	start, e1 := timeParam(r, "start", time.Time{})
	end, e2 := timeParam(r, "end", time.Time{})
	step, e3 := durationParam(r, "step")
	for _, e := range []*apiError{e1, e2, e3} {
		if e != nil {
			return apiResult{}, e
		}
	}
	switch {
	case end.Before(start):
		return apiResult{}, badParam("end", errors.New("end timestamp must not be before start time"))
	case step <= 0:
		return apiResult{}, badParam("step", errors.New("zero or negative query resolution step widths are not accepted. Try a positive integer"))
	case step < time.Millisecond: // the engine's resolution; it would divide by 0
		return apiResult{}, badParam("step", errors.New("a query resolution step width below 1ms is not accepted. Try a positive integer"))
	case end.Sub(start)/step > maxPoints:
		return apiResult{}, &apiError{badData, errors.New("exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)")}
	}
	return a.run(r, func(ctx context.Context, opts promql.QueryOpts, expr string) (promql.Query, error) {
		return a.promql.NewRangeQuery(ctx, a.db, opts, expr, start, end, step)
	})
}

// run evaluates a query with the timeout and the look-back of the request.
func (a *api) run(r *http.Request, build func(context.Context, promql.QueryOpts, string) (promql.Query, error)) (apiResult, *apiError) {
	limit, e1 := limitParam(r)
	timeout, e2 := durationParam(r, "timeout")
	lookback, e3 := durationParam(r, "lookback_delta")
	for _, e := range []*apiError{e1, e2, e3} {
		if e != nil {
			return apiResult{}, e
		}
	}
	ctx := r.Context()
	if r.FormValue("timeout") != "" {
		if timeout <= 0 {
			return apiResult{}, badParam("timeout", errors.New("must be positive"))
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	expr := r.FormValue("query")
	q, err := build(ctx, promql.NewPrometheusQueryOpts(false, lookback, nil), expr)
	if err != nil {
		if e := executionError(err); e.errorType != execution {
			return apiResult{}, e
		}
		return apiResult{}, badParam("query", err)
	}
	res := q.Exec(ctx)
	found := apiResult{query: expr, warnings: res.Warnings, release: q.Close}
	if res.Err != nil {
		return found, executionError(res.Err)
	}
	value, cut := truncate(res.Value, limit)
	if cut {
		found.warnings.Add(errTruncated)
	}
	found.data, err = encodeValue(value)
	if err != nil {
		return found, &apiError{execution, err}
	}
	return found, nil
}

var errTruncated = errors.New("results truncated due to limit")

func truncate(v parser.Value, limit int) (parser.Value, bool) {
	switch v := v.(type) {
	case promql.Vector:
		if limit > 0 && len(v) > limit {
			return v[:limit], true
		}
	case promql.Matrix:
		if limit > 0 && len(v) > limit {
			return v[:limit], true
		}
	}
	return v, false
}

func executionError(err error) *apiError {
	var (
		byUser  promql.ErrQueryCanceled
		late    promql.ErrQueryTimeout
		storage promql.ErrStorage
	)
	switch {
	case errors.As(err, &byUser), errors.Is(err, context.Canceled):
		return &apiError{canceled, err}
	case errors.As(err, &late), errors.Is(err, context.DeadlineExceeded):
		return &apiError{timedOut, err}
	case errors.As(err, &storage):
		return &apiError{internal, err}
	}
	return &apiError{execution, err}
}

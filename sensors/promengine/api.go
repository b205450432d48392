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

// errorType is what Prometheus calls a failure, and the status it answers with.
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

// answer is what an endpoint found. It is written before release is called, since
// the values of a query live in buffers that go back to a pool.
type answer struct {
	data     encoder
	query    string
	warnings annotations.Annotations
	release  func()
}

// maxPoints is how many points of one series a range query may give.
const maxPoints = 11_000

// api answers over HTTP for one engine.
type api struct{ *Engine }

// Handler serves the part of Prometheus' HTTP API that sensors and dashboards
// need, by GET and by POST form, with the documented shapes, error types and
// statuses: /api/v1/query, /query_range, /series, /labels, /label/NAME/values.
// It asks nobody who they are.
func (e *Engine) Handler() http.Handler {
	a := &api{e}
	mux := http.NewServeMux()
	for path, f := range map[string]func(*http.Request) (answer, *apiError){
		"/api/v1/query": a.query, "/api/v1/query_range": a.queryRange,
		"/api/v1/series": a.series, "/api/v1/labels": a.labelNames,
	} {
		mux.Handle("GET "+path, endpoint(f))
		mux.Handle("POST "+path, endpoint(f))
	}
	mux.Handle("GET /api/v1/label/{name}/values", endpoint(a.labelValues))
	return mux
}

func endpoint(f func(*http.Request) (answer, *apiError)) http.HandlerFunc {
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

func (a *api) query(r *http.Request) (answer, *apiError) {
	at, e := timeParam(r, "time", time.Now())
	if e != nil {
		return answer{}, e
	}
	return a.run(r, func(ctx context.Context, opts promql.QueryOpts, expr string) (promql.Query, error) {
		return a.promql.NewInstantQuery(ctx, a.db, opts, expr, at)
	})
}

func (a *api) queryRange(r *http.Request) (answer, *apiError) {
	start, e1 := timeParam(r, "start", time.Time{})
	end, e2 := timeParam(r, "end", time.Time{})
	step, e3 := durationParam(r, "step")
	for _, e := range []*apiError{e1, e2, e3} {
		if e != nil {
			return answer{}, e
		}
	}
	switch {
	case end.Before(start):
		return answer{}, badParam("end", errors.New("end timestamp must not be before start time"))
	case step <= 0:
		return answer{}, badParam("step", errors.New("zero or negative query resolution step widths are not accepted. Try a positive integer"))
	case step < time.Millisecond: // the engine counts in these, and would divide by 0
		return answer{}, badParam("step", errors.New("a query resolution step width below 1ms is not accepted. Try a positive integer"))
	case end.Sub(start)/step > maxPoints:
		return answer{}, &apiError{badData, errors.New("exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)")}
	}
	return a.run(r, func(ctx context.Context, opts promql.QueryOpts, expr string) (promql.Query, error) {
		return a.promql.NewRangeQuery(ctx, a.db, opts, expr, start, end, step)
	})
}

// run evaluates a query within the request's own timeout and look-back.
func (a *api) run(r *http.Request, build func(context.Context, promql.QueryOpts, string) (promql.Query, error)) (answer, *apiError) {
	limit, e1 := limitParam(r)
	timeout, e2 := durationParam(r, "timeout")
	lookback, e3 := durationParam(r, "lookback_delta")
	for _, e := range []*apiError{e1, e2, e3} {
		if e != nil {
			return answer{}, e
		}
	}
	ctx := r.Context()
	if r.FormValue("timeout") != "" {
		if timeout <= 0 {
			return answer{}, badParam("timeout", errors.New("must be positive"))
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	expr := r.FormValue("query")
	q, err := build(ctx, promql.NewPrometheusQueryOpts(false, lookback, nil), expr)
	if err != nil {
		if e := executionError(err); e.errorType != execution {
			return answer{}, e
		}
		return answer{}, badParam("query", err)
	}
	res := q.Exec(ctx)
	found := answer{query: expr, warnings: res.Warnings, release: q.Close}
	if res.Err != nil {
		return found, executionError(res.Err)
	}
	value, cut := truncated(res.Value, limit)
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

func truncated(v parser.Value, limit int) (parser.Value, bool) {
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

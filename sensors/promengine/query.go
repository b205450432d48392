package promengine

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/prometheus/promql"
)

// Query evaluates a PromQL expression at a time, without HTTP. A scalar is one sample without
// labels; a range vector returns all its points, series by series.
func (e *Engine) Query(ctx context.Context, expr string, at time.Time) ([]Sample, error) {
	q, err := e.promql.NewInstantQuery(ctx, e.db, nil, expr, at)
	if err != nil {
		return nil, fmt.Errorf("query %q: %w", expr, err)
	}
	return samplesOf(ctx, q, expr)
}

// QueryRange evaluates a PromQL expression at start and at every step after it, up to end. The
// samples are returned series by series, each in order of time.
func (e *Engine) QueryRange(ctx context.Context, expr string, start, end time.Time, step time.Duration) ([]Sample, error) {
	q, err := e.promql.NewRangeQuery(ctx, e.db, nil, expr, start, end, step)
	if err != nil {
		return nil, fmt.Errorf("query %q: %w", expr, err)
	}
	return samplesOf(ctx, q, expr)
}

func samplesOf(ctx context.Context, q promql.Query, expr string) ([]Sample, error) {
	defer q.Close()
	res := q.Exec(ctx)
	if res.Err != nil {
		return nil, fmt.Errorf("query %q: %w", expr, res.Err)
	}
	switch v := res.Value.(type) {
	case promql.Scalar:
		return []Sample{{At: time.UnixMilli(v.T), Value: v.V}}, nil
	case promql.Vector:
		out := make([]Sample, 0, len(v))
		for _, s := range v {
			out = append(out, Sample{Labels: s.Metric.Map(), At: time.UnixMilli(s.T), Value: s.F})
		}
		return out, nil
	case promql.Matrix:
		var out []Sample
		for _, series := range v {
			name := series.Metric.Map()
			for _, p := range series.Floats {
				out = append(out, Sample{Labels: name, At: time.UnixMilli(p.T), Value: p.F})
			}
		}
		return out, nil
	}
	return nil, fmt.Errorf("query %q: answer is a %s, not numbers", expr, res.Value.Type())
}

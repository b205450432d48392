package tracker

import (
	"context"
	"database/sql"
)

type logBatchRequest struct {
	Run     string     `json:"run_id" required:"true"`
	Metrics []newPoint `json:"metrics"`
	Params  []tag      `json:"params"`
	Tags    []tag      `json:"tags"`
}

// newPoint is a metric of a batch before its required fields are checked.
type newPoint struct {
	Key   string   `json:"key"`
	Value *double  `json:"value"`
	At    *integer `json:"timestamp"`
	Step  integer  `json:"step"`
}

// logBatch writes a batch completely or not at all.
func (t *Tracker) logBatch(ctx context.Context, q *logBatchRequest) (any, error) {
	points, err := checkBatch(q)
	if err != nil {
		return nil, err
	}
	return t.onRun(ctx, q.Run, func(ctx context.Context, tx *sql.Tx, seq int64) error {
		if err := addParams(ctx, tx, q.Run, seq, q.Params); err != nil {
			return err
		}
		if err := addMetrics(ctx, tx, seq, points); err != nil {
			return err
		}
		return setRunTags(ctx, tx, seq, q.Tags)
	})
}

func checkBatch(q *logBatchRequest) ([]metric, error) {
	if !runID.MatchString(q.Run) {
		return nil, invalid("Invalid run ID: '%s'", shorten(q.Run))
	}
	if err := checkBatchSize(len(q.Metrics), len(q.Params), len(q.Tags)); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, p := range q.Params {
		if seen[p.Key] {
			return nil, invalid("Duplicate parameter keys have been submitted: ['%s']. Please ensure the request contains only one param value per param key.", shorten(p.Key))
		}
		seen[p.Key] = true
	}
	points := make([]metric, len(q.Metrics))
	for i, m := range q.Metrics {
		if m.Value == nil || m.At == nil {
			return nil, invalid("Missing value for required parameter 'metrics[%d]': it wants key, value and timestamp.%s", i, seeDocs)
		}
		points[i] = metric{m.Key, *m.Value, *m.At, m.Step}
	}
	if err := checkMetrics(points); err != nil {
		return nil, err
	}
	if err := checkParams(q.Params); err != nil {
		return nil, err
	}
	return points, checkRunTags(q.Tags)
}

func checkBatchSize(metrics, params, tags int) error {
	for _, limit := range []struct {
		what      string
		got, most int
	}{
		{"metrics", metrics, maxBatchMetrics},
		{"params", params, maxBatchParams},
		{"tags", tags, maxBatchTags},
		{"metrics, params, and tags", metrics + params + tags, maxBatchEntities},
	} {
		if limit.got > limit.most {
			return invalid("A batch logging request can contain at most %d %s. Got %d %[2]s. Please split up %[2]s across multiple requests and try again.", limit.most, limit.what, limit.got)
		}
	}
	return nil
}

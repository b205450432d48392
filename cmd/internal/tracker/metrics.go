package tracker

import (
	"context"
	"database/sql"
)

// metric is one point of a metric's history.
type metric struct {
	Key   string  `json:"key"`
	Value double  `json:"value"`
	At    integer `json:"timestamp"`
	Step  integer `json:"step"`
}

type logMetricRequest struct {
	Run   string  `json:"run_id" alias:"run_uuid" required:"true"`
	Key   string  `json:"key" required:"true"`
	Value double  `json:"value" required:"true"`
	At    integer `json:"timestamp" required:"true"`
	Step  integer `json:"step"`
}

func (t *Tracker) logMetric(ctx context.Context, q *logMetricRequest) (any, error) {
	points := []metric{{q.Key, q.Value, q.At, q.Step}}
	if err := checkMetrics(points); err != nil {
		return nil, err
	}
	return t.onRun(ctx, q.Run, func(ctx context.Context, tx *sql.Tx, seq int64) error {
		return addMetrics(ctx, tx, seq, points)
	})
}

// onRun runs a function in a transaction on a run that may be written.
func (t *Tracker) onRun(ctx context.Context, id string, do func(context.Context, *sql.Tx, int64) error) (any, error) {
	return empty{}, t.store.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		seq, err := activeRun(ctx, tx, id)
		if err != nil {
			return err
		}
		return do(ctx, tx, seq)
	})
}

func checkMetrics(points []metric) error {
	for _, m := range points {
		if err := checkKey("metric", m.Key); err != nil {
			return err
		}
		if m.At < 0 {
			return invalid("Invalid value %d for parameter 'timestamp' supplied: metric '%s'. Timestamp must be a nonnegative long (64-bit integer)", m.At, m.Key)
		}
	}
	return nil
}

// addMetrics adds points to their histories, without duplicates. The latest point is the last
// by step, then time, then value, regardless of the order of arrival; NaN counts as 0, as in
// MLflow's databases.
func addMetrics(ctx context.Context, tx *sql.Tx, seq int64, points []metric) error {
	for _, m := range points {
		value, nan := m.Value.kept()
		args := []any{seq, m.Key, int64(m.At), int64(m.Step), value, nan}
		if err := execute(ctx, tx, `INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`, args...); err != nil {
			return err
		}
		if err := execute(ctx, tx, `INSERT INTO latest_metrics VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
			SET at = excluded.at, step = excluded.step, value = excluded.value, nan = excluded.nan
			WHERE (excluded.step, excluded.at, excluded.value) > (step, at, value)`, args...); err != nil {
			return err
		}
	}
	return nil
}

type historyRequest struct {
	Run   string   `json:"run_id" alias:"run_uuid" required:"true"`
	Key   string   `json:"metric_key" required:"true"`
	Max   *integer `json:"max_results"`
	Token string   `json:"page_token"`
}

type historyAnswer struct {
	Metrics []metric `json:"metrics,omitempty"`
	Next    string   `json:"next_page_token,omitempty"`
}

// metricHistory returns the points by time, then step and value: all of them, or a page if the
// client requests pages.
func (t *Tracker) metricHistory(ctx context.Context, q *historyRequest) (any, error) {
	p, err := pageOf(q.Max, q.Token, -1, maxPage)
	if err != nil {
		return nil, err
	}
	var answer historyAnswer
	err = t.store.view(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return each(ctx, tx, `SELECT m.run, m.key, m.value, m.nan, m.at, m.step FROM metrics m JOIN runs r ON r.seq = m.run
			WHERE r.id = ? AND m.key = ? ORDER BY m.at, m.step, m.value, m.nan LIMIT ? OFFSET ?`, []any{q.Run, q.Key, p.limit(), p.offset}, func(scan func(...any) error) error {
			_, m, err := scanMetric(scan)
			answer.Metrics = append(answer.Metrics, m)
			return err
		})
	})
	answer.Metrics, answer.Next = cutPage(p, answer.Metrics)
	return answer, err
}

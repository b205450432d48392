package tracker

import (
	"context"
	"database/sql"
	"strconv"
)

// readRuns reads the rows of a query for runColumns with their latest metrics,
// parameters and tags, in four queries for any number of runs.
func readRuns(ctx context.Context, tx *sql.Tx, query string, args ...any) (out []run, seqs []int64, err error) {
	at := map[int64]int{}
	err = each(ctx, tx, query, args, func(scan func(...any) error) error {
		var r run
		var seq, experiment int64
		i := &r.Info
		if err := scan(&seq, &i.ID, &i.Name, &experiment, &i.User, &i.Status, &i.Started, &i.Ended, &i.ArtifactURI, &i.Stage); err != nil {
			return err
		}
		i.UUID, i.Experiment = i.ID, strconv.FormatInt(experiment, 10)
		at[seq] = len(out)
		seqs = append(seqs, seq)
		out = append(out, r)
		return nil
	})
	if err != nil || len(out) == 0 {
		return nil, nil, err
	}
	these := []any{list(seqs)}
	err = each(ctx, tx, `SELECT run, key, value, nan, at, step FROM latest_metrics WHERE run IN (SELECT value FROM json_each(?)) ORDER BY run, key`, these, func(scan func(...any) error) error {
		seq, m, err := scanMetric(scan)
		d := &out[at[seq]].Data
		d.Metrics = append(d.Metrics, m)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	pairs := func(table string, of func(*runData) *[]tag) error {
		return each(ctx, tx, `SELECT run, key, value FROM `+table+` WHERE run IN (SELECT value FROM json_each(?)) ORDER BY run, key`, these, func(scan func(...any) error) error {
			var seq int64
			var g tag
			err := scan(&seq, &g.Key, &g.Value)
			to := of(&out[at[seq]].Data)
			*to = append(*to, g)
			return err
		})
	}
	if err := pairs("params", func(d *runData) *[]tag { return &d.Params }); err != nil {
		return nil, nil, err
	}
	return out, seqs, pairs("run_tags", func(d *runData) *[]tag { return &d.Tags })
}

func scanMetric(scan func(...any) error) (seq int64, m metric, err error) {
	var value float64
	var nan bool
	var at, step int64
	err = scan(&seq, &m.Key, &value, &nan, &at, &step)
	m.Value, m.At, m.Step = restored(value, nan), integer(at), integer(step)
	return seq, m, err
}
